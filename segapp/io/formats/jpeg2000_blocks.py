"""Bounds the blocks of a JPEG 2000 codestream, which cost a decoder memory and time."""

import math
import struct
from collections.abc import Iterator

from segapp.io.formats.bounds import require_few_bands

CODESTREAM = b"\xff\x4f\xff\x51"
"""The first bytes of a codestream: the marker SOC, and SIZ, which gives its size."""

START_OF_TILE = b"\xff\x90\x00\x0a"
START_OF_DATA, STYLE, STYLE_OF_BAND = 0xFF93, 0xFF52, 0xFF53
"""Markers of JPEG 2000."""

MAX_BLOCKS = 2**21
"""Tiles, precincts and code blocks of a JPEG 2000: one of 11,500 x 11,500 in RGB has 100,000 of the usual 64 x 64."""


def require_few_blocks(data: bytes, start: int, size: tuple[int, int]) -> None:
    """Raise ValueError for a codestream of too many bands, or of too many tiles, precincts and code blocks.

    Each block takes some hundred bytes of a decoder and some microseconds, whether the file holds it or not.

    Args:
        data: The bytes that hold the codestream.
        start: Where it begins, at its `CODESTREAM`.
        size: Height and width of the image.
    """
    width, height, bands = struct.unpack_from(">II8xH", data, start + 24)
    require_few_bands(bands)
    if not (width and height):
        raise ValueError("tiles without pixels")
    tiles = math.ceil(size[0] / height + 1) * math.ceil(size[1] / width + 1)
    for levels, area in _walk_styles(data, start):
        if bands * (tiles * (levels + 1) + size[0] * size[1] / area) > MAX_BLOCKS:
            raise ValueError("too many blocks")


def _walk_styles(data: bytes, start: int) -> Iterator[tuple[int, int]]:
    """Yield the levels and the pixels of the smallest block in each coding style: of an image, tile or band."""
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
