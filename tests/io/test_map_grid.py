"""Pixels of GeoTIFF grids, by hand."""

import math

import pytest

from segapp.io.map_grid import find_unit_length, is_true_to_scale, measure_map_pixel

UTM_33 = {1024: 1, 3072: 32633}


@pytest.mark.parametrize(
    ("affine", "keys", "size"),
    [
        ((0, 0.5, 0, 9, 0, -0.25), UTM_33, (250_000, 500_000)),
        ((0, 2, 0, 9, 0, -2), {1024: 1, 3072: 2154, 3076: 9002}, (609_600, 609_600)),
        ((0, 3, 4, 9, 4, -3), UTM_33, (5e6, 5e6)),  # turned by a rotation
        ((0, 3, 4, 9, 4, 3), UTM_33, None),  # sheared
        ((0, 1, 0, 9, 0, -1), {1024: 1, 3072: 2154}, None),  # the unit is not known
        ((0, 1, 0, 9, 0, -1), {1024: 1, 3072: 3857, 3076: 9001}, None),  # Web Mercator
        ((0, 1, 0, 9, 0, -1), {1024: 1, 3075: 7, 3076: 9001}, None),
        ((0, 1e-5, 0, 9, 0, -1e-5), {1024: 2, 2048: 4326}, None),  # degrees
        ((0, 0, 0, 9, 0, 0), UTM_33, None),
    ],
)
def test_a_pixel_has_a_size_where_lengths_are_true(affine, keys, size):
    assert measure_map_pixel(affine, keys) == (None if size is None else pytest.approx(size))


def test_units_and_kinds():
    assert find_unit_length(UTM_33) == 1 and find_unit_length({3076: 9003}) == pytest.approx(0.3048006)
    assert find_unit_length({}) is None and is_true_to_scale(UTM_33) and not is_true_to_scale({})
    assert math.isclose(measure_map_pixel((5, 1, 0, 5, 0, 1), UTM_33)[0], 1e6)
