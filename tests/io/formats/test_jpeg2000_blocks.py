"""The blocks of JPEG 2000 are counted before its decoder makes them."""

import struct

import imagecodecs
import numpy as np
import pytest

from segapp.io.formats.embedded_sizes import read_jpeg2000_size


def encode_jpeg2000(size: int, tile: int, exponents: int | None = None, tile_header: bool = False) -> bytes:
    """Return a stream of few bytes that says it has such sides, tiles, and precincts of `exponents` (two of 4 bits)."""
    stream = bytearray(imagecodecs.jpeg2k_encode(np.zeros((64, 64), np.uint8), codecformat="J2K"))
    struct.pack_into(">II", stream, 8, size, size)
    struct.pack_into(">II", stream, 24, tile, tile)
    at = stream.index(b"\xff\x52")
    style = bytearray(stream[at : at + 14])
    if exponents is not None:
        style[4] |= 1
        style += bytes([exponents] * (style[9] + 1))
        struct.pack_into(">H", style, 2, len(style) - 2)
    if tile_header:
        at = stream.index(b"\xff\x93")
        return bytes(stream[:at] + style + stream[at:])
    return bytes(stream[:at] + style + stream[at + 14 :])


def test_blocks_of_jpeg_2000_are_counted():
    """A file of 150 bytes with precincts of 2 x 2 pixels took 5 GB and a minute."""
    for size, tile, exponents in ((11_000, 11_000, None), (11_000, 256, 0x88), (200, 1, None)):
        assert read_jpeg2000_size(encode_jpeg2000(size, tile, exponents)) == (size, size)
    hostile = [
        encode_jpeg2000(11_000, 11_000, 0x11),
        encode_jpeg2000(11_000, 11_000, 0x11, tile_header=True),
        encode_jpeg2000(11_000, 10),
    ]
    for stream in hostile:
        with pytest.raises(ValueError, match="blocks"):
            read_jpeg2000_size(stream)
