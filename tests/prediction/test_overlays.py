"""Overlays show the image, its classes and their contours."""

import numpy as np
import pytest

from segapp.inference.readable_image import ArrayImage
from segapp.prediction import overlays
from segapp.prediction.overlays import MAX_SIDE, draw_overlay
from tests.inference.checkpoints import make_spec


@pytest.mark.parametrize("channels", [1, 2, 3, 7])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_background_is_untouched_contours_are_pure_and_regions_tinted(channels, dtype):
    value = 100 if dtype == np.uint8 else 100 / 255
    image = ArrayImage(np.full((40, 50, channels), value, dtype))
    indices = np.zeros((40, 50), np.uint8)
    indices[10:30, 10:30] = 1
    drawn = draw_overlay(image, indices, make_spec(channels=channels))
    assert drawn.shape == (40, 50, 3)
    assert drawn.dtype == np.uint8
    assert (drawn[indices == 0] == 100).all()
    assert (drawn[10, 10:30] == (60, 200, 90)).all()
    assert (drawn[10:30, 29] == (60, 200, 90)).all()
    assert drawn[20, 20].tolist() == [86, 135, 96]  # 100 and 0.35 of the way to the colour


def test_without_a_background_every_class_is_tinted():
    image = ArrayImage(np.full((40, 50, 3), 100, np.uint8))
    drawn = draw_overlay(image, np.zeros((40, 50), np.uint8), make_spec(background=None))
    assert (drawn == 65).all()


def test_images_too_large_to_look_at_are_thinned():
    image = ArrayImage(np.broadcast_to(np.uint8(100), (2 * MAX_SIDE, 6, 3)))
    indices = np.zeros((2 * MAX_SIDE, 6), np.uint8)
    assert draw_overlay(image, indices, make_spec()).shape == (MAX_SIDE, 3, 3)


def test_wide_images_are_read_in_low_stripes(monkeypatch):
    monkeypatch.setattr(overlays, "STRIPE", 1000)
    pixels, seen = np.random.default_rng(0).integers(0, 256, (300, 90, 3), np.uint8), []

    class Wide(ArrayImage):
        def read_window(self, y, x, h, w):
            seen.append(h * w)
            return super().read_window(y, x, h, w)

    assert np.array_equal(overlays._subsample(Wide(pixels), 3), pixels[::3, ::3])
    assert max(seen) <= 1000 and sum(seen) == 300 * 90
