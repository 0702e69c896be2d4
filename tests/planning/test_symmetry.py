"""Mirrorings that keep a data set's arrangement."""

import numpy as np
import pytest

from segapp.planning.symmetry import MOTIONS, describe_arrangement, measure_symmetry, move_arrangement


@pytest.mark.parametrize("motion", ["mirror left-right", "mirror up-down"])
def test_sky_over_road_is_safe_to_mirror_only_sideways(motion):
    rng = np.random.default_rng(0)
    arrangements = []
    for _ in range(12):
        mask = np.zeros((64, 64), np.uint8)
        mask[int(rng.integers(25, 40)) :] = 1
        image = np.where(mask, 40, 200) + rng.integers(0, 9, (64, 64))
        arrangements.append(describe_arrangement(image.astype(np.float32), mask, 2))
    assert measure_symmetry(arrangements, motion).is_safe == (motion == "mirror left-right")


@pytest.mark.parametrize(
    ("motion", "move"),
    [
        ("mirror left-right", np.fliplr),
        ("mirror up-down", np.flipud),
        ("quarter turn", np.rot90),
    ],
)
def test_a_moved_layout_is_the_layout_of_the_moved_image(motion, move):
    rng = np.random.default_rng(0)
    image, mask = rng.random((64, 64), np.float32), rng.integers(0, 3, (64, 64)).astype(np.uint8)
    moved = move_arrangement(describe_arrangement(image, mask, 3), motion)
    found = describe_arrangement(np.ascontiguousarray(move(image)), np.ascontiguousarray(move(mask)), 3)
    assert moved.class_map == pytest.approx(found.class_map, abs=1e-5)
    # An angle on the border of two bins may fall in either.
    assert moved.directions == pytest.approx(found.directions, abs=5e-3)
    assert not np.allclose(moved.directions, describe_arrangement(image, mask, 3).directions, atol=5e-3)


def test_the_direction_of_a_ramp_is_one_bin():
    ramp = np.tile(np.arange(64, dtype=np.float32), (64, 1))
    found = describe_arrangement(ramp, np.zeros((64, 64), np.uint8), 1)
    assert found.directions.argmax() == 0 and found.directions[0] == pytest.approx(1, abs=0.01)
    assert (found.class_map == 1).all()


def test_too_few_images_are_not_measured_and_equal_ones_are_safe():
    flat = describe_arrangement(np.zeros((16, 16), np.float32), np.zeros((16, 16), np.uint8), 2)
    assert all(np.isnan(measure_symmetry([flat] * 7, motion).asymmetry) for motion in MOTIONS)
    assert [measure_symmetry([flat] * 8, motion).is_safe for motion in MOTIONS] == [True] * 3
