"""JPEG 2000, as satellites and scanners write it: 8 to 16 bits."""

import numpy as np
import PIL.Image

from segapp.errors import SegappError
from segapp.io.file_part import FilePart
from segapp.io.formats.embedded_sizes import read_jpeg2000_size
from segapp.io.formats.jpeg2000_blocks import CODESTREAM
from segapp.io.formats.pillow import PillowFormat
from segapp.io.header import Header, Window

LONGEST_BOXES = 2**20
"""Bytes before the pixels: metadata and colour profiles."""

FIRST_DEPTH = 42
"""Offset from `CODESTREAM` of the depth of the first component, less 1; its highest bit says that values are signed."""


class Jpeg2000(PillowFormat):
    """JPEG 2000 (ISO/IEC 15444-1), as a codestream or in boxes (JP2)."""

    name = "JPEG 2000"
    plugin = "JPEG2000"
    suffixes = (".jp2", ".j2k")
    magic = (b"\x00\x00\x00\x0cjP  \r\n\x87\n", CODESTREAM)
    max_pixels = 2**27  # the decoder holds each value of the image in four bytes

    def read_window(self, file: FilePart, header: Header, window: Window) -> np.ndarray:
        """Return (H, W, C) as stored, once the size in the boxes is known to be that of the pixels."""
        if read_jpeg2000_size(file.path.read_bytes()) != (header.height, header.width):
            raise SegappError(f"{file}: JPEG 2000 whose header and pixels have different sizes; save the image again.")
        return super().read_window(file, header, window)

    def _read_depth(self, file: FilePart, image: PIL.Image.Image) -> int:
        with file.path.open("rb") as stream:
            start = stream.read(LONGEST_BOXES)
        depth = start[start.index(CODESTREAM) + FIRST_DEPTH]
        if not 7 <= depth <= 15:
            kind = "signed values" if depth > 127 else f"{depth + 1} bits"
            raise SegappError(f"{file}: JPEG 2000 with {kind} is not read; save it with 8 or 16 bits, unsigned.")
        return depth + 1

    def _find_lossy_codec(self, file: FilePart) -> str:
        return "JPEG 2000"  # the reversible transform too: a target size may have cut it, which no file says

    def _decode_wide(self, file: FilePart) -> np.ndarray:
        import imagecodecs

        return np.asarray(imagecodecs.jpeg2k_decode(file.path.read_bytes()))
