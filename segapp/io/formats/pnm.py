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

LINES = re.compile(rb"([^\r\n]*\r\n)+")
"""A header whose lines all end as those of Windows do."""

LONGEST_HEADER = 2**16

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
            pixels = self._read_bits(file) if kind in TEXT else self._unpack_bits(file, header)
        else:
            pixels = self._read_text(file, header) if kind in TEXT else self._read_numbers(file, header)
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

    def _unpack_bits(self, file: FilePart, header: Header) -> np.ndarray:
        with self._open(file) as image:
            start = int(_find_pixels(image).offset)
        stored = _read_stored(file, start, header.height * -(-header.width // 8), np.dtype(np.uint8))
        bits = np.unpackbits(stored.reshape(header.height, -1), axis=1, count=header.width)
        return 1 - bits  # black is 1 in the file

    def _read_numbers(self, file: FilePart, header: Header) -> np.ndarray:
        with self._open(file) as image:
            start, largest = int(_find_pixels(image).offset), _find_largest(image)
        count = header.height * header.width * header.bands
        values = _read_stored(file, start, count, header.dtype.newbyteorder(">"))
        _require_values(file, values, largest)
        return values.astype(header.dtype, copy=False)


def _read_stored(file: FilePart, start: int, count: int, dtype: np.dtype[Any]) -> np.ndarray:
    """Return the values behind a header of so many bytes; SegappError where they are fewer, or another image follows.

    One blank ends a header. Where all its lines end in two characters, the second is no pixel.
    """
    needed = count * dtype.itemsize
    with file.path.open("rb") as stream:
        found = file.path.stat().st_size - start
        if found > needed and start < LONGEST_HEADER and LINES.fullmatch(stream.read(start + 1)):
            start, found = start + 1, found - 1
        if found < needed:
            raise SegappError(f"{file}: a truncated PNM: {start + found:,} of {start + needed:,} bytes.")
        values = np.fromfile(file.path, dtype, count, offset=start)
        stream.seek(start + needed)
        if NEXT.match(stream.read(3)):
            raise SegappError(f"{file}: PNM of several images is a stack, not one image; save each as a file.")
    return values


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
