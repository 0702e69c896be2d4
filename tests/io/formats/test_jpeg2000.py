"""JPEG 2000 keeps its depth, is never a mask, and is bounded before it is decoded."""

import struct

import imagecodecs
import numpy as np
import pytest

from segapp.errors import SegappError
from segapp.io import read_header, read_raw, read_shape, read_window

RNG = np.random.default_rng(0)


def save(path, pixels, kind="JP2", **options):
    path.write_bytes(imagecodecs.jpeg2k_encode(pixels, codecformat=kind, level=0, reversible=True, **options))
    return path


@pytest.mark.parametrize("kind", ["JP2", "J2K"])
@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 3), (20, 30, 4)], ids=["grey", "rgb", "rgba"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_reversible_files_come_back_as_written(tmp_path, dtype, shape, kind):
    pixels = RNG.integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)
    path = save(tmp_path / "a.jp2", pixels, kind)
    assert read_header(path).dtype == dtype and read_shape(path) == (20, 30)
    np.testing.assert_array_equal(read_raw(path), pixels)
    np.testing.assert_array_equal(read_window(path, 2, 3, 5, 7), pixels.reshape(20, 30, -1)[2:7, 3:10])


def test_twelve_bits_are_read_as_stored(tmp_path):
    pixels = RNG.integers(0, 4096, (20, 30), np.uint16)
    np.testing.assert_array_equal(read_raw(save(tmp_path / "a.jp2", pixels, bitspersample=12)), pixels)


def test_it_may_have_changed_values_also_where_its_transform_is_reversible(tmp_path):
    assert read_header(save(tmp_path / "a.jp2", np.zeros((20, 30), np.uint8))).lossy == "JPEG 2000"


@pytest.mark.parametrize(("dtype", "bits", "words"), [(np.int16, None, "signed"), (np.uint8, 1, "1 bits")])
def test_other_depths_are_refused(tmp_path, dtype, bits, words):
    path = save(tmp_path / "a.jp2", np.zeros((8, 9), dtype), bitspersample=bits)
    with pytest.raises(SegappError, match=rf"a\.jp2: .*{words}"):
        read_header(path)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pixels_of_another_size_than_the_boxes_say_are_not_decoded(tmp_path, dtype):
    path = save(tmp_path / "a.jp2", np.zeros((20, 30), dtype))
    content = bytearray(path.read_bytes())
    for offset in (8, 24):  # of the image, and of its only tile
        struct.pack_into(">II", content, content.index(b"\xff\x4f\xff\x51") + offset, 30_000, 20_000)
    path.write_bytes(bytes(content))
    with pytest.raises(SegappError, match=r"a\.jp2: .*different sizes"):
        read_raw(path)


def test_a_huge_header_is_refused_by_the_header_alone(tmp_path):
    path = save(tmp_path / "a.jp2", np.zeros((20, 30), np.uint8))
    content = bytearray(path.read_bytes())
    struct.pack_into(">II", content, content.index(b"ihdr") + 4, 12_000, 12_000)
    path.write_bytes(bytes(content))
    with pytest.raises(SegappError, match="12000 x 12000 pixels"):
        read_shape(path)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_truncation_is_noticed(tmp_path, dtype):
    path = save(tmp_path / "a.jp2", RNG.integers(0, np.iinfo(dtype).max, (20, 30)).astype(dtype))
    content = path.read_bytes()
    for part in (0.3, 0.6, 0.9):
        path.write_bytes(content[: int(part * len(content))])
        with pytest.raises(SegappError, match=r"a\.jp2"):
            read_raw(path)
