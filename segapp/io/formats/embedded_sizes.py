"""Reads the size of an image from its codec's own stream, before anything is decoded.

All functions raise struct.error, IndexError or ValueError for a stream without a size.
"""

import re
import struct
from collections.abc import Container, Iterator
from mmap import mmap

from segapp.io.formats.bounds import require_few_bands
from segapp.io.formats.jpeg2000_blocks import CODESTREAM, require_few_blocks

MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd9\xff])")
"""A marker of JPEG that has content: neither a stuffed or fill byte, nor one that stands alone."""

Size = tuple[int, int]
"""Height, width."""


def read_jpeg_size(data: bytes) -> Size:
    """Return the height and width of a JPEG stream's frame, found as libjpeg finds it."""
    return _find_frame_size(data, {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})


def read_jpeg_ls_size(data: bytes) -> Size:
    """Return the height and width of a JPEG-LS stream's frame."""
    return _find_frame_size(data, {0xF7})


def _find_frame_size(data: bytes, frames: Container[int]) -> Size:
    for marker, position in walk_jpeg(data):
        if marker in frames:
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

    Raise ValueError for one whose decoder would allocate very many bands or very many blocks.
    """
    found: list[Size] = []
    position = data.find(CODESTREAM)
    while position >= 0 and len(found) < 100:
        right, bottom, left, top = struct.unpack_from(">IIII", data, position + 8)
        found.append((max(bottom - top, 0), max(right - left, 0)))
        require_few_blocks(data, position, found[-1])
        position = data.find(CODESTREAM, position + 4)
    return max(found, key=lambda size: size[0] * size[1])


def read_lerc_size(data: bytes) -> Size:
    """Return the height and width of a LERC blob of version 2 or later; ValueError for one of very many bands."""
    if not data.startswith(b"Lerc2 "):
        raise ValueError("compressed twice, or of the first version")
    (version,) = struct.unpack_from("<i", data, 6)
    height, width, depth = struct.unpack_from("<iii", data, 14 if version >= 3 else 10)
    require_few_bands((depth if version >= 4 else 1) * data.count(b"Lerc2 "))
    return height, width
