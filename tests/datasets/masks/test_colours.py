"""Colours become class indices."""

from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from segapp.datasets import Colours, Threshold
from segapp.errors import MisuseError
from tests.datasets.look_alikes import save
from tests.datasets.masks.coloured import COLOURED, RED, TRUTH, read, save_with_palette
from tests.datasets.masks.common import mask, saved


def test_colours(tmp_path: Path) -> None:
    path = tmp_path / "m.png"
    saved(path, [[[0, 0, 0], [255, 0, 0], [250, 0, 0], [9, 9, 9]]])  # type: ignore[list-item]
    colours = Colours({"background": (0, 0, 0), "a": [(255, 0, 0), (250, 0, 0)], "ignore": (9, 9, 9)})
    np.testing.assert_array_equal(mask(colours, path).read(), [[0, 1, 1, 255]])
    few = Colours({"background": (0, 0, 0), "a": (255, 0, 0)})
    with pytest.raises(MisuseError, match=r"\(9, 9, 9\) \(1 pixels\), |\(250, 0, 0\) \(1 pixels\)"):
        mask(few, path).read()
    with pytest.raises(MisuseError, match="'b' is not one of the classes background, a"):
        mask(Colours({"b": (0, 0, 0)}), path).read()
    with pytest.raises(MisuseError, match=r"It is a grey mask.*Indices"):
        mask(few, saved(tmp_path / "grey.png", [[0, 1]])).read()


@pytest.mark.parametrize("colours", [[], [(0, 0, 256)], (-1, 0, 0)])
def test_what_is_no_colour_is_refused(colours: Any) -> None:
    with pytest.raises(MisuseError, match="colours: 'a' needs a colour, three numbers in 0 … 255, got"):
        Colours({"background": (0, 0, 0), "a": colours})


def test_a_class_cannot_be_called_ignore_where_that_means_not_learnt(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.png", [[[0, 0, 0], [9, 9, 9]]])  # type: ignore[list-item]
    colours = Colours({"background": (0, 0, 0), "ignore": (9, 9, 9)})
    with pytest.raises(MisuseError, match="rename the class 'ignore'"):
        mask(colours, path, classes=("background", "ignore")).read()


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".gif", ".tif"])
@pytest.mark.parametrize("order", [[(0, 0, 0), (255, 0, 0)], [(255, 0, 0), (0, 0, 0)]])
def test_colours_of_a_palette_are_looked_up(tmp_path: Path, suffix: str, order: list[tuple[int, int, int]]) -> None:
    path = save_with_palette(tmp_path / f"m{suffix}", order)
    np.testing.assert_array_equal(read(Colours(RED), path), TRUTH)


def test_grey_files_hold_colours_too(tmp_path: Path) -> None:
    """Programs that shrink PNGs save a colour mask without colour as grey, or as single bits."""
    white = Colours({"background": (0, 0, 0), "a": (255, 255, 255)})
    save(tmp_path / "grey.png", TRUTH * 255)
    PIL.Image.fromarray(TRUTH * 255).convert("1").save(tmp_path / "bits.png")
    for name in ("grey.png", "bits.png"):
        np.testing.assert_array_equal(read(white, tmp_path / name), TRUTH)


def test_the_nearest_colour_decides_where_it_is_asked_to(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    PIL.Image.fromarray(COLOURED).save(tmp_path / "m.jpg", quality=95, subsampling=0)
    found = read(Colours(RED, nearest=True), tmp_path / "m.jpg")
    np.testing.assert_array_equal(found, TRUTH)
    assert "nearest colour decided" in caplog.text
    with pytest.raises(MisuseError, match="a colour mask"):
        read(Threshold(), tmp_path / "m.jpg")
