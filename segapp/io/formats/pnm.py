"""PNM, the plainest images: PBM, PGM and PPM, in text or in bytes."""

import re
from typing import Any

import numpy as np
import PIL.Image

from segapp.errors import SegappError
from segapp.io.file_part import FilePart
from segapp.io.formats.pillow import PillowFormat
from segapp.io.header import Header, Window

SPACES = b" \t\n\r\x0b\x0c"
BITS, TEXT = b"14", b"123"
"""The second byte of files of black and white, and of those whose values are written as text."""

NEXT = re.compile(rb"P[1-7][ \t\n\r]")
"""The beginning of another image behind the first one."""

COMMENT = re.compile(rb"#[^\r\n]*")

MAX_TEXT_PIXELS = 2**24
"""Height x width of a file of text, which is read at about a million values a second."""


class Pnm(PillowFormat):
    """Netpbm's portable bitmap, graymap and pixmap: values from 0 to a largest one of up to 65535."""

    name = "PNM"
    plugin = "PPM"
    suffixes = (".ppm", ".pgm", ".pbm", ".pnm")
    magic = tuple(bytes((ord("P"), kind, space)) for kind in b"123456" for space in SPACES)

    def read_window(self, file: FilePart, header: Header, window: Window) -> np.ndarray:
        """Return (H, W, C) uint8 or uint16 as stored; Pillow would stretch the values to 255 or 65535."""
        kind = _read_kind(file)
        if kind in TEXT and header.height * header.width > MAX_TEXT_PIXELS:
            raise SegappError(
                f"{file}: {header.height} x {header.width} pixels written as text; of such PNM at most "
                f"{MAX_TEXT_PIXELS:,} pixels are read. Save the image as PNG."
            )
        if kind in BITS:
            pixels = self._read_bits(file)
        else:
            pixels = self._read_text(file, header) if kind in TEXT else self._read_bytes(file, header)
        y, x, h, w = window
        return pixels.reshape(header.height, header.width, header.bands)[y : y + h, x : x + w]

    def _read_depth(self, file: FilePart, image: PIL.Image.Image) -> int:
        return 16 if _find_largest(image) > 255 else 8

    def _find_white(self, image: PIL.Image.Image, depth: int) -> int:
        return min(_find_largest(image), 255)

    def _read_bits(self, file: FilePart) -> np.ndarray:
        with self._open(file) as image:
            return np.asarray(image).astype(np.uint8)

    def _read_text(self, file: FilePart, header: Header) -> np.ndarray:
        with self._open(file) as image:
            start, largest = int(_find_pixels(image).offset), _find_largest(image)
        words = COMMENT.sub(b" ", file.path.read_bytes()[start:]).split()
        count = header.height * header.width * header.bands
        if len(words) < count:
            raise SegappError(f"{file}: a truncated PNM: {len(words):,} of {count:,} values.")
        values = np.array([int(word) for word in words[:count]])
        _require_values(file, values, largest)
        return values.astype(header.dtype)

    def _read_bytes(self, file: FilePart, header: Header) -> np.ndarray:
        with self._open(file) as image:
            start, largest = int(_find_pixels(image).offset), _find_largest(image)
        count = header.height * header.width * header.bands
        needed = start + count * header.dtype.itemsize
        if (found := file.path.stat().st_size) < needed:
            raise SegappError(f"{file}: a truncated PNM: {found:,} of {needed:,} bytes.")
        values = np.fromfile(file.path, header.dtype.newbyteorder(">"), count, offset=start)
        _require_values(file, values, largest)
        with file.path.open("rb") as stream:
            stream.seek(needed)
            if NEXT.match(stream.read(3)):
                raise SegappError(f"{file}: PNM of several images is a stack, not one image; save each as a file.")
        return values.astype(header.dtype, copy=False)


def _require_values(file: FilePart, values: np.ndarray, largest: int) -> None:
    if values.min() < 0 or values.max() > largest:
        raise SegappError(
            f"{file}: PNM with values of {values.min()} … {values.max()}; its header says 0 … {largest}. Save it again."
        )


def _read_kind(file: FilePart) -> int:
    with file.path.open("rb") as stream:
        return stream.read(2)[1]


def _find_largest(image: PIL.Image.Image) -> int:
    """Return the largest value, as the header says it."""
    if image.mode == "1":
        return 1
    pixels = _find_pixels(image)
    if pixels.codec_name != "raw":
        return int(pixels.args[-1])
    return 65535 if image.mode == "I" else 255


def _find_pixels(image: Any) -> Any:
    """Return where the pixels begin and how they are stored, as Pillow's reader of the header says it."""
    return image.tile[0]
