"""Boundaries and the distances between them, by hand; scores of them are in `test_boundary` and `test_distance`."""

import math

import numpy as np
import pytest

from segapp.errors import MisuseError, SegappError
from segapp.metrics.outlines import BoundaryUnit, Presence, measure_boundaries

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


@pytest.mark.parametrize(
    ("word", "tolerance", "spacing"),
    [
        ("2px", 2.0, (1.0, 1.0)),
        ("1mm", 1.0, (0.5, 2.0)),
        ("0.5um", 0.5, (500, 2000)),
        (" 1e2 µm ", 100, (500, 2000)),
        ("1\u03bcm", 1, (500, 2000)),
        ("0m", 0, (5e-4, 2e-3)),
        ("3cm", 3, (0.05, 0.2)),
    ],
)
def test_a_tolerance_says_in_which_unit_distances_are(word, tolerance, spacing) -> None:
    unit = BoundaryUnit.parse(word)
    found = unit.fit((500.0, 2000.0), "a")
    assert found.tolerance == tolerance and found.spacing == pytest.approx(spacing, rel=1e-12)
    assert BoundaryUnit.parse(str(unit)) == unit


@pytest.mark.parametrize("word", ["", "1", "mm", "-1mm", "nanpx", "infmm", "1 inch", "1mm2", "1e400px"])
def test_other_tolerances_are_refused_with_what_may_be_given(word) -> None:
    with pytest.raises(MisuseError, match=r"as 2px \(pixels\) or 1mm"):
        BoundaryUnit.parse(word)


def test_an_image_without_a_size_of_a_pixel_has_distances_in_pixels_only() -> None:
    assert BoundaryUnit.parse("3px").fit(None, "a") == BoundaryUnit(3.0)
    with pytest.raises(MisuseError, match=r"^heart/3: its file states no size of a pixel"):
        BoundaryUnit.parse("3mm").fit(None, "heart/3")


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(SegappError, match=r"\(6, 8\)"):
        measure_boundaries(EMPTY, np.zeros((3, 3), np.uint8), 2)


def test_a_tree_finds_the_distances_of_comparing_all_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    masks = np.zeros((2, 60, 70), np.uint8)
    masks[0, 3:9, 4:60], masks[1, 30:55, 20:24], masks[1, 50:52, 1:4] = 1, 1, 2
    masks[0, 20:40, 5] = 2
    compared = measure_boundaries(*masks, 3, spacing=(0.7, 1.3))
    monkeypatch.setattr("segapp.metrics.outlines.PAIRS", 0)
    found = measure_boundaries(*masks, 3, spacing=(0.7, 1.3))
    for one, other in zip(compared, found, strict=True):
        assert len(one.from_target) and np.array_equal(one.from_target, other.from_target)
        assert len(one.from_prediction) and np.array_equal(one.from_prediction, other.from_prediction)
