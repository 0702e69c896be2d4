"""Masks of class indices, in the classes' colours."""

import numpy as np
import PIL.Image
import pytest

from segapp.io import read_raw
from segapp.prediction import outputs, stored_image
from tests.prediction.predicting import make_run, put, scene, table


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path)


def test_masks_are_palette_pngs(run, tmp_path):
    put(tmp_path / "images", "a.png", scene(40, 50)[0])
    run()
    with PIL.Image.open(tmp_path / "out" / "mask" / "a.png") as mask:
        assert mask.mode == "P"
        assert mask.getpalette()[:6] == [0, 0, 0, 60, 200, 90]


def test_tiff_masks_show_the_classes_colours(run, tmp_path, monkeypatch):
    pixels, truth = scene(300, 200)
    put(tmp_path / "images", "a.tif", pixels)
    assert run() == 0
    monkeypatch.setattr(stored_image, "PREFETCHED_PIXELS", 1)
    monkeypatch.setattr(outputs, "STREAMED_FROM", 1)
    assert run(output=str(tmp_path / "streamed")) == 0
    for out in ("out", "streamed"):
        with PIL.Image.open(tmp_path / out / "mask" / "a.tif") as mask:
            assert (np.asarray(mask) == truth).all()
            assert (np.asarray(mask.convert("RGB"))[truth == 1] == (60, 200, 90)).all()


@pytest.mark.parametrize("save", [["mask"], ["mask", "overlay"]])
def test_a_streamed_mask_is_cleaned_like_a_whole_one(run, tmp_path, monkeypatch, save):
    pixels = np.full((700, 300, 3), 30, np.uint8)
    pixels[100:140, 50:90] = 220
    pixels[110:113, 60:64] = 30  # a hole of 12
    pixels[500:503, 200:205] = 220  # an object of 15
    put(tmp_path / "images", "a.tif", pixels)
    options = {"min_object": ["20"], "min_hole": ["20"]}
    assert run(save, output=str(tmp_path / "whole"), **options) == 0
    monkeypatch.setattr(stored_image, "PREFETCHED_PIXELS", 1)
    monkeypatch.setattr(outputs, "STREAMED_FROM", 1)
    assert run(save, **options) == 0
    for out in ("whole", "out"):
        (mask,) = (tmp_path / out).rglob("a.tif")
        found = read_raw(mask)
        assert found.sum() == 1600 and found[100:140, 50:90].all()
        assert table(tmp_path / out)[0]["cell/pixels"] == "1600"
