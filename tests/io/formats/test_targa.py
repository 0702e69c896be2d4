"""TGA: found by its suffix, since its files have no mark at their beginning."""

import numpy as np
import PIL.Image
import pytest

from segapp.errors import SegappError
from segapp.io import read_header, read_raw
from tests.io.sample_files import palette_image

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("options", [{}, {"compression": "tga_rle"}])
@pytest.mark.parametrize("bands", [1, 3, 4])
def test_values_come_back_as_stored(bands, options, tmp_path):
    pixels = np.squeeze(RNG.integers(0, 256, (20, 30, bands), np.uint8))
    PIL.Image.fromarray(pixels).save(tmp_path / "a.tga", **options)
    np.testing.assert_array_equal(read_raw(tmp_path / "a.tga"), pixels)


def test_a_palette_keeps_its_indices(tmp_path):
    indices, colours = RNG.integers(0, 4, (20, 30), np.uint8), [9, 9, 9, 200, 0, 0, 0, 200, 0, 0, 0, 200]
    palette_image(indices, colours).save(tmp_path / "a.TGA", format="TGA")
    np.testing.assert_array_equal(read_raw(tmp_path / "a.TGA"), indices)
    palette = read_header(tmp_path / "a.TGA").palette
    assert palette is not None
    assert palette[:4].ravel().tolist() == colours


@pytest.mark.parametrize("content", [b"", b"\0\0\2", b"\0\0\2" + bytes(15), b"no picture at all" * 9, bytes(999)])
def test_broken_files_are_errors_that_name_them(content, tmp_path):
    (tmp_path / "a.tga").write_bytes(content)
    with pytest.raises(SegappError, match=r"a\.tga: "):
        read_raw(tmp_path / "a.tga")


@pytest.mark.parametrize("options", [{}, {"compression": "tga_rle"}])
def test_truncated_files_are_errors(options, tmp_path):
    path = tmp_path / "a.tga"
    PIL.Image.fromarray(RNG.integers(0, 256, (20, 30, 3), np.uint8)).save(path, **options)
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(SegappError, match=r"a\.tga: a broken or truncated TGA"):
        read_raw(path)


def test_a_size_that_no_pixels_follow_takes_no_memory(tmp_path):
    (tmp_path / "a.tga").write_bytes(bytes([0, 0, 2, *bytes(9), 255, 255, 255, 255, 24, 0]))
    with pytest.raises(SegappError, match=r"of TGA at most"):
        read_raw(tmp_path / "a.tga")
