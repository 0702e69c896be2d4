"""TIFF: windows equal crops, channels are found wherever they are stored, absurd sizes are refused."""

import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile

from segapp.errors import SegappError
from segapp.io import read_raw, read_shape, read_window

RNG = np.random.default_rng(0)


DEEP = RNG.integers(0, 65536, (37, 50), np.uint16)


CHANNELS = RNG.integers(0, 65536, (5, 37, 50), np.uint16)


def _tags(width: int, height: int, *more: tuple[int, int, int, int]) -> bytes:
    """A little-endian TIFF of one page: (code, kind, count, value) of its tags, and 16 bytes of pixels."""
    always = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (262, 3, 1, 1), (277, 3, 1, 1)]
    tags = sorted({tag[0]: tag for tag in [*always, *more]}.values())
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + bytes(16)


@pytest.mark.parametrize("compression", [None, "deflate", "lzw", "zstd"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("layout", [{}, {"tile": (16, 32)}, {"rowsperstrip": 5}], ids=["whole", "tiles", "strips"])
def test_tiff_windows_equal_crops(tmp_path: Path, compression: str, byteorder: str, layout: dict) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, DEEP, compression=compression, byteorder=byteorder, **layout)
    pixels = read_raw(path)
    np.testing.assert_array_equal(pixels, DEEP)
    assert pixels.dtype == np.uint16 and pixels.dtype.isnative
    np.testing.assert_array_equal(read_window(path, 14, 3, 20, 40)[..., 0], DEEP[14:34, 3:43])


@pytest.mark.parametrize(
    "saved",
    [
        {"photometric": "minisblack", "metadata": None},
        {"photometric": "minisblack", "compression": "deflate"},
        {"photometric": "minisblack", "planarconfig": "separate", "tile": (16, 16), "compression": "deflate"},
        {"imagej": True, "metadata": {"axes": "CYX"}},
        {"ome": True, "metadata": {"axes": "CYX"}, "photometric": "minisblack"},
    ],
    ids=["pages", "compressed pages", "planes", "imagej", "ome"],
)
def test_tiff_channels_first(tmp_path: Path, saved: dict) -> None:
    tifffile.imwrite(tmp_path / "a.tif", CHANNELS, **saved)
    np.testing.assert_array_equal(read_raw(tmp_path / "a.tif"), np.moveaxis(CHANNELS, 0, -1))
    window = read_window(tmp_path / "a.tif", 4, 5, 6, 7)
    np.testing.assert_array_equal(window, np.moveaxis(CHANNELS, 0, -1)[4:10, 5:12])


@pytest.mark.parametrize(
    "saved",
    [
        {"planarconfig": "contig"},
        {"planarconfig": "contig", "compression": "deflate"},
        {},
        {"compression": "deflate"},
    ],
    ids=["contiguous", "compressed", "undeclared", "undeclared compressed"],
)
def test_tiff_channels_last(tmp_path: Path, saved: dict) -> None:
    pixels = np.moveaxis(CHANNELS, 0, -1).copy()
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="minisblack", **saved)
    np.testing.assert_array_equal(read_raw(tmp_path / "a.tif"), pixels)
    np.testing.assert_array_equal(read_window(tmp_path / "a.tif", 4, 5, 6, 7), pixels[4:10, 5:12])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (_tags(200_000, 200_000, (259, 3, 1, 1), (273, 4, 1, 8), (278, 4, 1, 200_000), (279, 4, 1, 16)), "truncated"),
        (_tags(200_000, 200_000, (259, 3, 1, 8), (273, 4, 1, 8), (278, 4, 1, 200_000), (279, 4, 1, 16)), "one tile or"),
        (  # GDAL's sparse tiles: all of them empty
            _tags(
                60_000, 30_000, (259, 3, 1, 8), (322, 4, 1, 30_000), (323, 4, 1, 30_000), (324, 3, 2, 0), (325, 3, 2, 0)
            ),
            "0 bytes",
        ),
        (_tags(2**31, 1, (259, 3, 1, 8), (273, 4, 1, 8), (278, 4, 1, 1), (279, 4, 1, 16)), "one tile or|a side has"),
        (_tags(8, 8, (259, 3, 1, 8), (277, 3, 1, 9000), (273, 4, 1, 8), (278, 4, 1, 8), (279, 4, 1, 16)), "a stack"),
    ],
    ids=["uncompressed", "one strip", "empty tiles", "one row", "many samples"],
)
def test_a_tiff_that_promises_more_than_a_window_needs(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(SegappError, match=rf"a\.tif: .*({words})"):
        read_shape(tmp_path / "a.tif")
