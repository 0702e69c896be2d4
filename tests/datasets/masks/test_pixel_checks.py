"""Transparent pixels, pixels that were not measured, and colours in masks of class indices."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile

from segapp.datasets import Colours, Indices, Instances, PerClass, Threshold
from segapp.datasets.masks.pixel_checks import list_values
from segapp.errors import MisuseError
from tests.datasets.look_alikes import save
from tests.datasets.masks.coloured import TRUTH, read


def transparent_masks(folder: Path) -> list[Path]:
    """Save TRUTH as white paint on a transparent canvas, white too, in every way that formats have."""
    rgba = np.dstack([np.full((32, 32, 3), 255, np.uint8), TRUTH * 255])
    save(folder / "rgba.png", rgba)
    tifffile.imwrite(folder / "rgba.tif", rgba, photometric="rgb", extrasamples=["unassalpha"])
    grey = np.where(TRUTH > 0, np.uint8(255), np.uint8(9))
    PIL.Image.fromarray(grey).save(folder / "key.png", transparency=9)
    paint = PIL.Image.fromarray(TRUTH)
    paint.putpalette([255] * 6)
    for name in ("palette.png", "palette.gif"):
        paint.save(folder / name, transparency=0, optimize=False)
    return sorted(folder.iterdir())


def test_transparent_pixels_are_what_the_user_says(tmp_path: Path) -> None:
    white = {"a": (255, 255, 255)}
    for path in transparent_masks(tmp_path):
        for encoding in (Indices(), Indices({0: 0, 255: 1}), Colours(white), Threshold(), Instances(), PerClass()):
            with pytest.raises(MisuseError, match=r"pixels are transparent.*transparent: background"):
                read(encoding, path)
        np.testing.assert_array_equal(read(Colours(white, transparent="background"), path), TRUTH, err_msg=path.name)
        np.testing.assert_array_equal(read(Colours(white, transparent="ignore"), path) == 255, TRUTH == 0)


def test_half_transparent_pixels_are_refused_or_decided(tmp_path: Path) -> None:
    alpha = TRUTH * 255
    alpha[8, 8:20] = (100, 200) * 6
    save(tmp_path / "m.png", np.dstack([np.full((32, 32, 3), 255, np.uint8), alpha]))
    white = {"a": (255, 255, 255)}
    with pytest.raises(MisuseError, match=r"12 pixels .*transparent"):
        read(Colours(white, transparent="background"), tmp_path / "m.png")
    found = read(Colours(white, transparent="background", nearest=True), tmp_path / "m.png")
    assert found[8, 8:20].tolist() == [0, 1] * 6


@pytest.mark.parametrize("constant", [0, 255])
def test_an_alpha_of_one_value_has_its_meaning_too(tmp_path: Path, constant: int) -> None:
    save(tmp_path / "m.png", np.dstack([TRUTH, np.full_like(TRUTH, constant)]))
    if constant:
        np.testing.assert_array_equal(read(Indices(), tmp_path / "m.png"), TRUTH)
        return
    with pytest.raises(MisuseError, match="1,024 pixels are transparent"):
        read(Indices(), tmp_path / "m.png")


def save_geotiff(path: Path, pixels: np.ndarray, nodata: str) -> Path:
    tifffile.imwrite(path, pixels, extratags=[(42113, 2, len(nodata) + 1, nodata, True)])
    return path


def test_what_was_not_measured_is_ignored_or_asked_for(tmp_path: Path) -> None:
    stored = TRUTH.astype(np.int16)
    stored[:2] = -999
    path = save_geotiff(tmp_path / "m.tif", stored, "-999")
    expected = TRUTH.copy()
    expected[:2] = 255
    np.testing.assert_array_equal(read(Indices(), path), expected)
    zero = save_geotiff(tmp_path / "zero.tif", TRUTH, "0")
    with pytest.raises(MisuseError, match=r"\{0: 0\} for the class, or \{0: 255\}"):
        read(Indices(), zero)
    np.testing.assert_array_equal(read(Indices({0: 0}), zero), TRUTH)
    np.testing.assert_array_equal(read(Indices({0: 255}), zero), np.where(TRUTH, 1, 255))
    np.testing.assert_array_equal(read(Instances(), zero), TRUTH)  # 0 is no object anyway
    two = save_geotiff(tmp_path / "two.tif", np.where(expected == 255, 2, TRUTH).astype(np.uint8), "2")
    np.testing.assert_array_equal(read(PerClass(), two), expected)


def test_the_first_values_are_listed() -> None:
    assert list_values(np.array([[3, 1], [1, 0]])) == "0, 1, 3"
    assert list_values(np.arange(20)) == "0, 1, 2, 3, 4, 5, 6, 7 … 19 (20 values)"
    assert list_values(np.array([0.5, 1])) == "0.5, 1"
