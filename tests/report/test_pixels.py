"""Images as they are shown, and what is measured of them."""

import numpy as np
import pytest

from segapp.report.pixels import convert_to_rgb, measure_properties, paint_classes
from segapp.spec import Spec


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_brightness_and_contrast_are_of_values_in_0_to_1(dtype):
    image = np.zeros((1, 2000, 600), np.float32)
    image[:, 1000:] = 1
    found = measure_properties((image * 255).astype(dtype) if dtype is np.uint8 else image)
    assert (found.height, found.width) == (2000, 600)
    assert found.brightness == pytest.approx(0.5, abs=0.01) and found.contrast == pytest.approx(0.5, abs=0.01)


def test_a_slice_shows_its_own_channels_not_its_neighbours():
    image = np.arange(5, dtype=np.uint8)[:, None, None] * np.ones((5, 2, 2), np.uint8)
    assert (convert_to_rgb(image, neighbours=2) == 2).all() and convert_to_rgb(image, 2).shape == (2, 2, 3)
    assert (convert_to_rgb(np.full((1, 2, 2), 1.5, np.float32)) == 255).all()
    assert convert_to_rgb(image)[0, 0].tolist() == [0, 1, 2]


def test_classes_are_painted_except_the_background():
    spec = Spec(("ground", "cell"), 0, ((9, 9, 9), (255, 0, 0)), 1)
    assert paint_classes(np.array([[0, 1, 255]]), spec, 100).tolist() == [
        [[0] * 4, [255, 0, 0, 100], [128, 128, 128, 100]]
    ]
