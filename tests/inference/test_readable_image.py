"""Images in memory, and what is refused of them."""

import numpy as np
import pytest

from segapp.errors import MisuseError
from segapp.inference.readable_image import ArrayImage


@pytest.mark.parametrize(
    ("pixels", "said"),
    [
        (np.full((4, 4, 1), 255.0, np.float32), "0, 1"),
        (np.full((4, 4, 1), -1.0), "0, 1"),
        (np.zeros((4, 4, 1), np.uint16), "uint16"),
        (np.zeros((1, 4, 4, 1), np.uint8), "H, W, C"),
    ],
)
def test_pixels_of_another_range_or_kind_are_refused(pixels, said):
    with pytest.raises(MisuseError, match=said):
        ArrayImage(pixels)


def test_a_grey_image_needs_no_axis_for_its_channel():
    assert ArrayImage(np.zeros((4, 5), np.uint8)).shape == (4, 5, 1)


def test_a_window_is_a_view_of_the_pixels():
    pixels = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    window = ArrayImage(pixels).read_window(1, 2, 2, 3)
    assert (window == pixels[1:3, 2:5]).all() and window.base is not None
