"""Areas from what was measured, and none from anything else."""

import numpy as np
import pytest

from segapp.prediction.areas import find_pixel_area

GEOGRAPHIC = {1024: 2, 2048: 4326, 2054: 9102}


def meta(affine, keys):
    return {"affine": affine, "geo_keys": keys}


@pytest.mark.parametrize(
    ("keys", "area", "unit"),
    [
        ({1024: 1, 3072: 32632}, 0.5, "m²"),  # UTM: metres, whether the file says so or not
        ({1024: 1, 3072: 2056, 3076: 9001}, 0.5, "m²"),
        ({1024: 1, 3072: 2263, 3076: 9003}, 0.5 * (1200 / 3937) ** 2, "m²"),
        ({1024: 1, 3072: 2263}, 0.5, "map unit²"),  # feet, but only a register of all systems would know
    ],
)
def test_projected_systems(keys, area, unit):
    found = find_pixel_area(meta((0, 0.5, 0, 0, 0, -1), keys), 10)
    assert found is not None and (found.rows.tolist(), found.unit) == ([pytest.approx(area)], unit)


@pytest.mark.parametrize(
    "known",
    [
        {},
        {"resolution": (300.0, 300.0, "inch")},
        {"resolution": (100.0, 100.0, "centimeter")},
        {"affine": (0, 1, 0, 0, 0, -1)},  # of no system
        meta((0, 1, 0, 0, 0, -1), {1024: 1, 3072: 3857, 3076: 9001}),  # Web Mercator
        meta((0, 1, 0, 0, 0, -1), {1024: 1, 3072: 32767, 3075: 7, 3076: 9001}),  # a Mercator of the user's own
        meta((0, 1, 0, 0, 0, -1), {1024: 2, 2048: 4267}),  # degrees of an ellipsoid of 1866
        meta((0, 1, 0.1, 0, 0.1, -1), GEOGRAPHIC),  # turned
        meta((0, 1, 0, 0, 0, -1), GEOGRAPHIC | {2054: 9101}),  # radians
    ],
)
def test_where_nothing_was_measured_there_is_no_area(known):
    assert find_pixel_area(known, 10) is None


def test_degrees_become_square_metres_of_the_ellipsoid():
    whole = find_pixel_area(meta((-180, 1, 0, 90, 0, -1), GEOGRAPHIC), 180)
    assert whole is not None and whole.unit == "m²"
    assert whole.rows.sum() * 360 == pytest.approx(510_065_621_724_089, rel=1e-12)  # the surface of WGS 84
    assert whole.rows[90] == pytest.approx(111_319.49 * 110_574.3, rel=1e-3)  # a degree each way at the equator
    assert whole.rows[30] == pytest.approx(whole.rows[90] * np.cos(np.radians(59.5)), rel=2e-2)
    assert whole.rows == pytest.approx(whole.rows[::-1])


def test_classes_get_the_areas_of_their_rows():
    area = find_pixel_area(meta((8, 0.01, 0, 60, 0, -0.01), GEOGRAPHIC), 4)
    indices = np.array([[0, 1], [1, 1], [0, 2], [2, 2]], np.uint8)
    rows = area.rows
    expected = [rows[0] + rows[2], rows[0] + 2 * rows[1], rows[2] + 2 * rows[3]]
    assert area.sum_by_class(indices, 0, 3) == pytest.approx(expected)
    assert area.sum_by_class(indices[:2], 0, 3) + area.sum_by_class(indices[2:], 2, 3) == pytest.approx(expected)
    assert find_pixel_area({"pixel_size": (0.5, 0.2)}, 4).sum_by_class(indices, 0, 3) == pytest.approx([0.2, 0.3, 0.3])
