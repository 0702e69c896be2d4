"""The header of an image, and the values of TIFF's MinIsWhite."""

import numpy as np
import pytest

from segapp.io.header import Header, invert_white_is_zero


def make_header(**options) -> Header:
    return Header("TIFF", 2, 3, 1, np.dtype(np.uint8), **options)


@pytest.mark.parametrize(("orientation", "upright"), [(1, (2, 3)), (4, (2, 3)), (5, (3, 2)), (8, (3, 2))])
def test_an_orientation_that_turns_swaps_the_sides(orientation, upright):
    assert make_header(orientation=orientation).upright == upright


def test_only_the_values_of_min_is_white_are_inverted():
    values = np.array([0, 3], np.uint8)
    assert invert_white_is_zero(values, make_header(white=3)) is values
    np.testing.assert_array_equal(invert_white_is_zero(values, make_header(white=3, white_is_zero=True)), [3, 0])
    deep = np.array([0, 65535], np.uint16)
    np.testing.assert_array_equal(invert_white_is_zero(deep, make_header(white_is_zero=True)), [65535, 0])
