"""The scale that several landscapes are drawn on."""

from typing import Any

import numpy as np
import pytest

from segapp.lab.landscape.figures import MAX_SPAN, _choose_scale, draw_all, draw_contours
from segapp.lab.landscape.numbers import Landscape

SETTINGS: dict[str, Any] = {"size": [8, 8], "loss": "x.Loss", "samples": 1, "split": "train", "statistics": "none"}


def landscape(plane: np.ndarray) -> Landscape:
    axis, t = np.linspace(-1, 1, len(plane)), np.linspace(-1, 1, 21)
    return Landscape("one", SETTINGS, t, np.ones((2, 21)), axis, axis, plane, np.zeros((0, 2)))


def bowl(corner: float) -> np.ndarray:
    """0.05 in the middle, 1 around it, and a loss beyond all others in one corner."""
    plane = np.ones((15, 15))
    plane[7, 7], plane[0, 0] = 0.05, corner
    return plane


def test_walls_far_away_leave_the_centre_its_colours() -> None:
    assert _choose_scale([landscape(bowl(0.9)), landscape(bowl(1e6))]) == pytest.approx((0.05, 0.05 * MAX_SPAN))
    assert _choose_scale([landscape(bowl(10.0))]) == pytest.approx((0.05, 10.0))


def test_a_perfect_centre_leaves_the_rest_its_colours() -> None:
    low, top = _choose_scale([landscape(np.where(bowl(2.0) < 1, 1e-12, bowl(2.0)))])
    assert low == pytest.approx(1 / MAX_SPAN)
    assert top == pytest.approx(1.0)


@pytest.mark.parametrize("value", [0.0, 0.3, np.nan, np.inf])
@pytest.mark.slow
def test_flat_and_empty_planes_can_be_drawn(value: float, tmp_path) -> None:  # type: ignore[no-untyped-def]
    low, top = _choose_scale([landscape(np.full((15, 15), value))])
    assert 0 < low < top
    assert len(draw_all([landscape(np.full((15, 15), value))], tmp_path)) == 3


def test_what_lies_beyond_the_scale_is_said_at_the_colour_bar() -> None:
    bar = draw_contours([landscape(bowl(1e6))]).axes[-1]._colorbar  # type: ignore[attr-defined]
    assert bar.extend == "max"
    assert draw_contours([landscape(bowl(10.0))]).axes[-1]._colorbar.extend == "neither"  # type: ignore[attr-defined]
