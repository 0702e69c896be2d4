"""Overlays of large images."""

import json

import numpy as np
import pytest

from segapp.inference.readable_image import ArrayImage
from segapp.io import read_raw
from segapp.prediction import outputs, overlays, stored_image
from segapp.prediction.writers.overlay import OverlayWriter
from segapp.prediction.writers.writer import ImageInfo
from tests.inference.checkpoints import make_spec
from tests.prediction.predicting import make_run, put, scene


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path)


def test_an_overlay_of_a_thinned_stream_shows_every_nth_pixel(run, tmp_path, monkeypatch):
    put(tmp_path / "images", "a.tif", scene(301, 203)[0])
    for room in (outputs, overlays):
        monkeypatch.setattr(room, "MAX_SIDE", 100)
    monkeypatch.setattr(stored_image, "PREFETCHED_PIXELS", 1)
    assert run(["overlay"], output=str(tmp_path / "whole")) == 0
    monkeypatch.setattr(outputs, "STREAMED_FROM", 1)
    assert run(["overlay"]) == 0
    assert (read_raw(tmp_path / "out/overlay/a.png") == read_raw(tmp_path / "whole/overlay/a.png")).all()
    assert run(["mask", "overlay", "contours"], output=str(tmp_path / "outlined")) == 0
    regions = json.loads((tmp_path / "outlined/contours/a.geojson").read_text())["features"]
    mask = read_raw(tmp_path / "outlined/mask/a.tif")  # regions are outlined at full size, whatever an overlay shows
    assert sum(region["properties"]["pixels"] for region in regions) == (mask == 1).sum()


def test_an_overlay_outlines_the_mask_in_the_class_s_colour(tmp_path):
    pixels = ArrayImage(np.full((40, 50, 3), 100, np.uint8))
    mask = np.zeros((40, 50), np.uint8)
    mask[10:30, 10:30] = 1
    OverlayWriter(tmp_path / "a.png", ImageInfo("a", (40, 50), make_spec(), pixels=pixels)).finish(mask)
    drawn = read_raw(tmp_path / "a.png")
    assert (drawn[mask == 0] == 100).all() and drawn[10, 20].tolist() == [60, 200, 90]
