"""PNG: indices, packed bits and 16 bits come back as stored."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from segapp.errors import SegappError
from segapp.io import raw, read_raw
from tests.io.formats.png_bytes import encode_interlaced, encode_png
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
@pytest.mark.parametrize("interlaced", [False, True])
def test_16_bit_png_keeps_16_bits(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: int, samples: int, interlaced: bool
) -> None:
    pixels = RNG.integers(0, 65536, (13, 10, samples), np.uint16)
    rows = [row.astype(">u2").tobytes() for row in pixels]
    complete = encode_interlaced(16, kind, pixels) if interlaced else encode_png(16, kind, rows, 10)
    (tmp_path / "a.png").write_bytes(complete)
    np.testing.assert_array_equal(read_raw(tmp_path / "a.png").reshape(13, 10, samples), pixels)
    assert not caplog.records  # of libpng, which remarks on interlacing


@pytest.mark.parametrize(("kind", "samples"), [(0, 1), (2, 3)])
def test_a_16_bit_png_with_a_transparent_colour(tmp_path: Path, kind: int, samples: int) -> None:
    pixels = RNG.integers(0, 65536, (5, 4, samples), np.uint16)
    whole = encode_png(16, kind, [row.astype(">u2").tobytes() for row in pixels], 4)
    key = pixels[2, 3].astype(">u2").tobytes()
    chunk = struct.pack(">I", len(key)) + b"tRNS" + key + struct.pack(">I", zlib.crc32(b"tRNS" + key))
    (tmp_path / "a.png").write_bytes(whole[:33] + chunk + whole[33:])
    np.testing.assert_array_equal(read_raw(tmp_path / "a.png").reshape(5, 4, samples), pixels)
    assert raw.read_header(tmp_path / "a.png").transparent == tuple(pixels[2, 3].tolist())


@pytest.mark.parametrize(("kind", "samples"), [(0, 1), (2, 3), (4, 2), (6, 4)])
@pytest.mark.parametrize("interlaced", [False, True])
def test_8_bits_are_those_that_are_stored_whatever_a_file_says_of_its_colours(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], kind: int, samples: int, interlaced: bool
) -> None:
    pixels = RNG.integers(0, 256, (13, 10, samples), np.uint8)
    complete = encode_interlaced(8, kind, pixels) if interlaced else encode_png(8, kind, [*map(bytes, pixels)], 10)
    told = make_chunk(b"gAMA", struct.pack(">I", 100_000)) + make_chunk(b"sBIT", bytes([5] * samples))
    (tmp_path / "a.png").write_bytes(complete[:33] + told + complete[33:])
    np.testing.assert_array_equal(read_raw(tmp_path / "a.png").reshape(13, 10, samples), pixels)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("samples", [1, 3])
def test_a_transparent_colour_is_no_band(tmp_path: Path, samples: int) -> None:
    pixels = RNG.integers(0, 256, (5, 4, samples), np.uint8)
    complete = encode_png(8, 0 if samples == 1 else 2, [row.tobytes() for row in pixels], 4)
    key = make_chunk(b"tRNS", b"".join(bytes([0, value]) for value in pixels[2, 3]))
    (tmp_path / "a.png").write_bytes(complete[:33] + key + complete[33:])
    np.testing.assert_array_equal(read_raw(tmp_path / "a.png").reshape(5, 4, samples), pixels)


@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_a_truncated_png_is_refused(tmp_path: Path, kept: float) -> None:
    rows = [RNG.integers(0, 256, 300, np.uint8).tobytes() for _ in range(100)]
    complete = encode_png(8, 2, rows, 100)
    (tmp_path / "a.png").write_bytes(complete[: int(kept * len(complete))])
    with pytest.raises(SegappError, match=r"a\.png.*truncated"):
        read_raw(tmp_path / "a.png")


def make_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
