"""EXIF orientation is applied to images, masks and windows alike."""

from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
import tifffile

from segapp.io import read_raw, read_shape, read_window
from segapp.io.orientation import turn_upright
from tests.io.sample_files import palette_image

RNG = np.random.default_rng(0)


GREY = RNG.integers(0, 256, (37, 50), np.uint8)


INDICES = RNG.integers(0, 4, (37, 50), np.uint8)


CODES = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: np.swapaxes(a, 0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(np.swapaxes(a, 0, 1), 2),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("code", CODES)
def test_orientation_matches_its_definition_and_pillow(tmp_path: Path, code: int) -> None:
    np.testing.assert_array_equal(turn_upright(GREY, code), CODES[code](GREY))
    exif = PIL.Image.Exif()
    exif[0x0112] = code
    PIL.Image.fromarray(GREY).save(tmp_path / "a.png", exif=exif)
    from_pillow = PIL.ImageOps.exif_transpose(PIL.Image.open(tmp_path / "a.png"))
    np.testing.assert_array_equal(read_raw(tmp_path / "a.png"), np.asarray(from_pillow))


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_windows_are_upright_too(tmp_path: Path, suffix: str, code: int) -> None:
    path = tmp_path / f"a{suffix}"
    exif = PIL.Image.Exif()
    exif[0x0112] = code
    if suffix == ".tif":
        tifffile.imwrite(path, GREY, extratags=[(274, 3, 1, code, True)], tile=(16, 16))
    else:
        PIL.Image.fromarray(GREY).save(path, exif=exif)
    whole = read_raw(path)
    assert whole.shape == read_shape(path) == ((50, 37) if code >= 5 else (37, 50))
    np.testing.assert_array_equal(read_window(path, 3, 11, 21, 13)[..., 0], whole[3:24, 11:24])


def test_palette_mask_with_orientation_keeps_indices(tmp_path: Path) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    palette_image(INDICES, [0, 0, 0, 200, 0, 0, 0, 200, 0, 0, 0, 200]).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_raw(tmp_path / "a.png"), np.rot90(INDICES, -1))
