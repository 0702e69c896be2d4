"""WebP of one frame, lossless or not."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import PIL.Image

from segapp.errors import SegappError
from segapp.io.file_part import FilePart
from segapp.io.formats.bounds import BoundedReader, require_fitting_bytes
from segapp.io.formats.embedded_sizes import read_webp_size
from segapp.io.formats.format import START
from segapp.io.formats.pillow import PillowFormat

RGBA = 4
"""Bytes of a pixel, at most."""


class WebP(PillowFormat):
    """WebP (RFC 9649): RGB or RGBA in 8 bits; grey images are stored as RGB."""

    name = "WebP"
    plugin = "WEBP"
    suffixes = (".webp",)
    magic = (b"RIFF",)

    def recognises(self, start: bytes) -> bool:
        """Return whether it is the kind of RIFF file that holds an image; WAV and AVI are others."""
        return start.startswith(b"RIFF") and start[8:12] == b"WEBP"

    @contextmanager
    def _open(self, file: FilePart) -> Iterator[PIL.Image.Image]:
        """Open a file after checking its size and its canvas: Pillow holds both in memory."""
        with BoundedReader(file.path, self.name) as stream:
            height, width = read_webp_size(stream.read(START))
            if height * width > self.max_pixels:
                raise SegappError(f"{file}: WebP of {height} x {width} pixels; at most {self.max_pixels:,} are read.")
            require_fitting_bytes(file.path, self.name, file.path.stat().st_size, (height, width, RGBA))
            _find_stream(stream)  # which counts the chunks before it
            stream.allow_pixels()
            stream.seek(0)
            with PIL.Image.open(stream, formats=(self.plugin,)) as image:
                yield image

    def _check(self, file: FilePart, image: PIL.Image.Image) -> None:
        if getattr(image, "is_animated", False):
            raise SegappError(f"{file}: an animated WebP is a stack, not one image; save each frame as a file.")

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
