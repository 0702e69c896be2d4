"""Boundaries and the distances between them, by hand; scores of them are in `test_boundary` and `test_distance`."""

import math

import numpy as np
import pytest

from segapp.errors import SegappError
from segapp.metrics.outlines import Presence, measure_boundaries

EMPTY, FULL = np.zeros((6, 8), np.uint8), np.ones((6, 8), np.uint8)
DOT = EMPTY.copy()
DOT[2, 3] = 1


def test_presence_by_hand() -> None:
    for prediction, mask, expected in (
        (EMPTY, EMPTY, Presence.NEITHER),
        (FULL, FULL, Presence.FULL),
        (EMPTY, DOT, Presence.ONE),
        (FULL, DOT, Presence.ONE),
        (DOT, DOT, Presence.BOTH),
    ):
        found = measure_boundaries(prediction, mask, 2)[1]
        assert found.presence is expected and found.diagonal == 10
        assert len(found.from_target) == len(found.from_prediction) == (expected is Presence.BOTH)


def test_distances_are_in_the_unit_of_the_spacing() -> None:
    moved = np.roll(DOT, (1, 2), (0, 1))
    (_, found) = measure_boundaries(moved, DOT, 2, spacing=(3.0, 2.0))
    assert found.from_target.tolist() == found.from_prediction.tolist() == [5.0]
    assert found.diagonal == pytest.approx(math.hypot(18, 16))


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(SegappError, match=r"\(6, 8\)"):
        measure_boundaries(EMPTY, np.zeros((3, 3), np.uint8), 2)
