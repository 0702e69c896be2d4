"""A mask file means the same in every format."""

from pathlib import Path

import numpy as np
import PIL.Image
import tifffile

from segapp.io import Image, read_mask_window, write_mask
from segapp.spec import Intensity

RNG = np.random.default_rng(0)


def test_a_mask_page_is_nodata_too(tmp_path: Path) -> None:
    measured = RNG.integers(1000, 2000, (37, 50), np.uint16)
    pixels, valid = measured.copy(), np.ones((37, 50), bool)
    pixels[:5], valid[:5] = 60000, 0
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(pixels, compression="deflate")
        file.write(valid, compression="deflate", photometric="mask", subfiletype=4)
    tifffile.imwrite(tmp_path / "whole.tif", measured[5:])
    intensity = Intensity("percentile", 0, 100)
    found = Image(tmp_path / "a.tif", intensity=intensity).read()
    assert (found[:5] == 0).all()
    np.testing.assert_array_equal(found[5:], Image(tmp_path / "whole.tif", intensity=intensity).read())
    missing = read_mask_window(tmp_path / "a.tif", 3, 0, 10, 50).missing
    assert missing is not None and missing[:2].all() and not missing[2:].any()


def test_alpha_is_transparency_and_no_value(tmp_path: Path) -> None:
    rgba = np.zeros((4, 5, 4), np.uint8)
    rgba[..., :3], rgba[..., 3] = 7, 255
    rgba[1, 2, 3], rgba[1, 3, 3] = 0, 51
    PIL.Image.fromarray(rgba).save(tmp_path / "a.png")
    mask = read_mask_window(tmp_path / "a.png", 1, 2, 1, 3)
    assert mask.shape == (1, 3) and mask.values.shape == (1, 3, 3) and mask.largest == 255
    assert mask.transparency is not None
    np.testing.assert_allclose(mask.transparency, [[1, 0.8, 0]])
    assert read_mask_window(tmp_path / "a.png", 2, 0, 2, 5).transparency is None


def test_a_transparent_colour_is_transparency_too(tmp_path: Path) -> None:
    PIL.Image.fromarray(np.array([[3, 9], [9, 3]], np.uint8)).save(tmp_path / "a.png", transparency=9)
    transparency = read_mask_window(tmp_path / "a.png", 0, 0, 2, 2).transparency
    assert transparency is not None and transparency.tolist() == [[0, 1], [1, 0]]


def test_a_palette_gives_indices_and_their_colours(tmp_path: Path) -> None:
    write_mask(tmp_path / "a.png", np.array([[0, 1], [1, 2]], np.uint8), ((0, 0, 0), (9, 8, 7), (255, 0, 0)))
    mask = read_mask_window(tmp_path / "a.png", 0, 0, 2, 2)
    assert mask.values[..., 0].tolist() == [[0, 1], [1, 2]]
    assert mask.palette is not None and mask.palette[:3].tolist() == [[0, 0, 0], [9, 8, 7], [255, 0, 0]]


def test_white_is_the_largest_value_of_the_type(tmp_path: Path) -> None:
    for dtype, largest in ((np.uint8, 255), (np.uint16, 65535), (np.float32, 1)):
        tifffile.imwrite(tmp_path / "a.tif", np.zeros((3, 4), dtype))
        assert read_mask_window(tmp_path / "a.tif", 0, 0, 3, 4).largest == largest
