"""The size of an image that stands in its codec's own stream, read before anything is decoded.

All raise struct.error, IndexError or ValueError for a stream that does not say it.
"""

import math
import re
import struct
from collections.abc import Iterator
from mmap import mmap

MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd9\xff])")
"""A marker of JPEG that has content: neither a stuffed or fill byte, nor one that stands alone."""

CODESTREAM, START_OF_TILE = b"\xff\x4f\xff\x51", b"\xff\x90\x00\x0a"
START_OF_DATA, STYLE, STYLE_OF_BAND = 0xFF93, 0xFF52, 0xFF53
"""Markers of JPEG 2000."""

MAX_BLOCKS = 2**21
"""Tiles, precincts and code blocks of a JPEG 2000: one of 11,500 x 11,500 in RGB has 100,000 of the usual 64 x 64."""

MAX_VALUES = 64
"""Values of a pixel, each of which takes memory whatever the length of the file: in LERC, also those of all blobs."""

Size = tuple[int, int]
"""Height, width."""


def read_jpeg_size(data: bytes) -> Size:
    """Return the height and width of a JPEG stream's frame, found as libjpeg finds it."""
    for marker, position in walk_jpeg(data):
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            _, height, width = struct.unpack_from(">BHH", data, position + 2)
            return height, width
    raise ValueError("no frame before the pixels")


def walk_jpeg(data: bytes | mmap) -> Iterator[tuple[int, int]]:
    """Yield the markers of a JPEG stream before its pixels, each with the offset of its content's length."""
    position = 0
    while (found := MARKER.search(data, position)) is not None and found.end() + 2 <= len(data):
        marker, position = found[1][0], found.end()
        if marker == 0xDA:
            return
        yield marker, position
        position += int.from_bytes(data[position : position + 2])


def read_png_size(data: bytes) -> Size:
    """Return the height and width of a PNG."""
    width, height = struct.unpack_from(">II", data, 16)
    return height, width


def read_webp_size(data: bytes) -> Size:
    """Return the height and width of a WebP."""
    kind = data[12:16]
    if kind == b"VP8X":
        return int.from_bytes(data[27:30], "little") + 1, int.from_bytes(data[24:27], "little") + 1
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", data, 26)
    return height & 0x3FFF, width & 0x3FFF


def read_jpeg2000_size(data: bytes) -> Size:
    """Return the largest size of any codestream in it: boxes around the real one may hold others.

    Raise ValueError for one whose decoder would allocate very many values of a pixel or very many blocks.
    """
    found: list[Size] = []
    position = data.find(CODESTREAM)
    while position >= 0 and len(found) < 100:
        right, bottom, left, top = struct.unpack_from(">IIII", data, position + 8)
        found.append((max(bottom - top, 0), max(right - left, 0)))
        _require_few_blocks(data, position, found[-1])
        position = data.find(CODESTREAM, position + 4)
    return max(found, key=lambda size: size[0] * size[1])


def _require_few_blocks(data: bytes, start: int, size: Size) -> None:
    """Raise ValueError for a codestream of too many values, or of too many tiles, precincts and code blocks.

    Each block takes some hundred bytes of a decoder and some microseconds, whether the file holds it or not.
    """
    width, height, values = struct.unpack_from(">II8xH", data, start + 24)
    if values > MAX_VALUES:
        raise ValueError("too many values of a pixel")
    if not (width and height):
        raise ValueError("tiles without pixels")
    tiles = math.ceil(size[0] / height + 1) * math.ceil(size[1] / width + 1)
    for levels, area in _walk_styles(data, start):
        if values * (tiles * (levels + 1) + size[0] * size[1] / area) > MAX_BLOCKS:
            raise ValueError("too many blocks")


def _walk_styles(data: bytes, start: int) -> Iterator[tuple[int, int]]:
    """Yield the levels and the pixels of the smallest block that each coding style says: of an image, tile or band."""
    end = len(data) if (following := data.find(CODESTREAM, start + 4)) < 0 else following
    wide = struct.unpack_from(">H", data, start + 40)[0] > 256
    position = start + 2
    while 0 <= position < end:
        marker, length = struct.unpack_from(">HH", data, position)
        if marker == START_OF_DATA:  # what follows is compressed, up to the next tile
            position = data.find(START_OF_TILE, position, end)
            continue
        if marker in (STYLE, STYLE_OF_BAND):
            own = position + (4 if marker == STYLE else 5 + wide)  # its Scod or Scoc
            style = own + (5 if marker == STYLE else 1)
            levels, *exponents = struct.unpack_from(">BBB", data, style)
            blocks = sum(exponents) + 4
            sizes = data[style + 5 : position + 2 + length] if data[own] & 1 else b""
            yield levels, 2 ** min(blocks, *((each & 15) + (each >> 4) for each in sizes), 30)
        position += 2 + length


def read_lerc_size(data: bytes) -> Size:
    """Return the height and width of a LERC blob of version 2 or later; ValueError for one of very many values."""
    if not data.startswith(b"Lerc2 "):
        raise ValueError("compressed twice, or of the first version")
    (version,) = struct.unpack_from("<i", data, 6)
    height, width, depth = struct.unpack_from("<iii", data, 14 if version >= 3 else 10)
    if (depth if version >= 4 else 1) * data.count(b"Lerc2 ") > MAX_VALUES:
        raise ValueError("too many values of a pixel")
    return height, width
