"""Sizes of objects in stored pixels."""

import numpy as np
import pytest

from segapp.planning.object_sizes import measure_objects


@pytest.mark.parametrize(("width", "expected"), [(2, 2.0), (6, 6.0), (20, 20.0)])
def test_the_thickness_of_a_band_is_its_width(width, expected):
    mask = np.zeros((64, 64), np.uint8)
    mask[20 : 20 + width] = 1
    (band,) = measure_objects(mask, background=0)
    assert band.thickness == pytest.approx(expected, abs=0.05)
    assert band.areas.tolist() == [width * 64]
    assert band.extents.tolist() == [64]


def test_sizes_of_a_reduced_mask_are_in_stored_pixels():
    mask = np.zeros((32, 32), np.uint8)
    mask[4:8, 4:12] = 2
    (found,) = measure_objects(mask, background=0, scale=2.0)
    assert (found.areas[0], found.extents[0]) == (128, 16)


def test_a_disc_is_two_thirds_of_its_diameter_thick_and_touching_corners_join():
    y, x = np.mgrid[:101, :101]
    (disc,) = measure_objects(((y - 50) ** 2 + (x - 50) ** 2 <= 45**2).astype(np.uint8), background=0)
    assert disc.thickness == pytest.approx(2 / 3 * 91, rel=0.05)
    (corners,) = measure_objects(np.eye(6, dtype=np.uint8), background=0)
    assert corners.extents.tolist() == [6]


def test_ignored_pixels_are_no_object_and_the_largest_are_kept(monkeypatch):
    monkeypatch.setattr("segapp.planning.object_sizes.MAX_OBJECTS", 2)
    mask = np.array([[1, 0, 1, 1, 0, 1, 1, 1], [255] * 8], np.uint8)
    (found,) = measure_objects(mask, background=0)
    assert (found.class_index, found.areas.tolist()) == (1, [3, 2])
    assert [one.class_index for one in measure_objects(mask, background=None)] == [0, 1]
