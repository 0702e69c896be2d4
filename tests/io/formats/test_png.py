"""PNG: indices, packed bits and 16 bits come back as stored."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from segapp.io import raw, read_raw
from tests.io.formats.png_bytes import encode_png
from tests.io.sample_files import palette_image

RNG = np.random.default_rng(0)


INDICES = RNG.integers(0, 4, (37, 50), np.uint8)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palette_png_keeps_its_indices(tmp_path: Path, bits: int) -> None:
    indices = np.minimum(INDICES, 2**bits - 1)
    palette_image(indices, [9, 9, 9, 200, 0, 0, 0, 200, 0, 0, 0, 200]).save(tmp_path / "a.png", bits=bits)
    np.testing.assert_array_equal(read_raw(tmp_path / "a.png"), indices)


@pytest.mark.parametrize(("depth", "row", "values"), [(2, b"\x1b", [0, 1, 2, 3]), (4, b"\x0f\x37", [0, 15, 3, 7])])
def test_packed_grey_is_not_stretched(tmp_path: Path, depth: int, row: bytes, values: list[int]) -> None:
    (tmp_path / "a.png").write_bytes(encode_png(depth, 0, [row], 4))
    assert read_raw(tmp_path / "a.png").tolist() == [values]


@pytest.mark.parametrize(("kind", "samples"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_16_bit_png_keeps_16_bits(tmp_path: Path, kind: int, samples: int) -> None:
    pixels = RNG.integers(0, 65536, (5, 4, samples), np.uint16)
    (tmp_path / "a.png").write_bytes(encode_png(16, kind, [row.astype(">u2").tobytes() for row in pixels], 4))
    np.testing.assert_array_equal(read_raw(tmp_path / "a.png").reshape(5, 4, samples), pixels)


@pytest.mark.parametrize(("kind", "samples"), [(0, 1), (2, 3)])
def test_a_16_bit_png_with_a_transparent_colour(tmp_path: Path, kind: int, samples: int) -> None:
    pixels = RNG.integers(0, 65536, (5, 4, samples), np.uint16)
    whole = encode_png(16, kind, [row.astype(">u2").tobytes() for row in pixels], 4)
    key = pixels[2, 3].astype(">u2").tobytes()
    chunk = struct.pack(">I", len(key)) + b"tRNS" + key + struct.pack(">I", zlib.crc32(b"tRNS" + key))
    (tmp_path / "a.png").write_bytes(whole[:33] + chunk + whole[33:])
    np.testing.assert_array_equal(read_raw(tmp_path / "a.png").reshape(5, 4, samples), pixels)
    assert raw.read_header(tmp_path / "a.png").transparent == tuple(pixels[2, 3].tolist())
