"""WebP of one frame, lossless or not."""

import struct

import numpy as np
import PIL.Image

from segapp.io.file_part import FilePart
from segapp.io.formats.bounds import BoundedReader
from segapp.io.formats.embedded_sizes import read_webp_size
from segapp.io.formats.format import START
from segapp.io.formats.pillow import PillowFormat


class WebP(PillowFormat):
    """WebP (RFC 9649): RGB or RGBA in 8 bits; grey images are stored as RGB."""

    name = "WebP"
    plugin = "WEBP"
    suffixes = (".webp",)
    magic = (b"RIFF",)

    def recognises(self, start: bytes) -> bool:
        """Return whether it is the kind of RIFF file that holds an image; WAV and AVI are others."""
        return start.startswith(b"RIFF") and start[8:12] == b"WEBP"

    def _prepare(self, file: FilePart, stream: BoundedReader) -> None:
        self._require_affordable(file, *read_webp_size(stream.read(START)))
        _find_stream(stream)  # which counts the chunks before it
        stream.allow_pixels()  # Pillow holds the file and its canvas in memory
        stream.seek(0)

    def _check(self, file: FilePart, image: PIL.Image.Image) -> None:
        self._refuse_animation(file, image)

    def _find_lossy_codec(self, file: FilePart) -> str | None:
        with BoundedReader(file.path, self.name) as stream:
            return None if _find_stream(stream) == b"VP8L" else "WebP"

    def _decode(self, file: FilePart) -> np.ndarray:
        import imagecodecs  # Pillow's decoder is that for animations, and holds the image four times

        return np.asarray(imagecodecs.webp_decode(file.path.read_bytes()))


def _find_stream(file: BoundedReader) -> bytes:
    """Return the name of the chunk that holds the pixels: `VP8L` if lossless, `VP8 ` if not; empty without any."""
    file.seek(12)
    while len(head := file.read(8)) == 8:
        name, length = struct.unpack("<4sI", head)
        if name in (b"VP8 ", b"VP8L"):
            return bytes(name)
        file.seek(length + length % 2, 1)
    return b""
