"""The scale that several landscapes are drawn on."""

import json
from typing import Any

import numpy as np
import pytest

from segapp.errors import MisuseError
from segapp.lab.landscape import figures
from segapp.lab.landscape.figures import SPAN, Landscape, _scale, draw_all, draw_contours, read_landscape

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
    assert _scale([landscape(bowl(0.9)), landscape(bowl(1e6))]) == pytest.approx((0.05, 0.05 * SPAN))
    assert _scale([landscape(bowl(10.0))]) == pytest.approx((0.05, 10.0))


def test_a_perfect_centre_leaves_the_rest_its_colours() -> None:
    low, top = _scale([landscape(np.where(bowl(2.0) < 1, 1e-12, bowl(2.0)))])
    assert low == pytest.approx(1 / SPAN)
    assert top == pytest.approx(1.0)


@pytest.mark.parametrize("value", [0.0, 0.3, np.nan, np.inf])
def test_flat_and_empty_planes_can_be_drawn(value: float, tmp_path) -> None:  # type: ignore[no-untyped-def]
    low, top = _scale([landscape(np.full((15, 15), value))])
    assert 0 < low < top
    assert len(draw_all([landscape(np.full((15, 15), value))], tmp_path)) == 3


def test_what_lies_beyond_the_scale_is_said_at_the_colour_bar() -> None:
    bar = draw_contours([landscape(bowl(1e6))]).axes[-1]._colorbar  # type: ignore[attr-defined]
    assert bar.extend == "max"
    assert draw_contours([landscape(bowl(10.0))]).axes[-1]._colorbar.extend == "neither"  # type: ignore[attr-defined]


def written(folder, facts=None, **changes):
    """Write a finished landscape, some of its arrays changed."""
    arrays = {"t": np.zeros(3), "lines": np.ones((2, 3)), "first": np.zeros(2), "second": np.zeros(2)}
    arrays |= {"plane": np.ones((2, 2)), "path": np.zeros((0, 2)), "done": np.ones(10, bool)}
    np.savez(folder / "landscape.npz", **{**arrays, **changes})
    facts = SETTINGS | {"checkpoint": "a.ckpt", "sharpness": []} | (facts or {})
    (folder / "landscape.json").write_text(json.dumps(facts))


def test_numbers_that_are_none_or_do_not_fit_are_one_message(tmp_path):
    written(tmp_path)
    assert read_landscape(tmp_path).plane.shape == (2, 2)
    pickled = np.array([print], object)
    for changes in (
        {"plane": np.ones(3)},
        {"path": np.zeros((2, 3))},
        {"t": np.array(["a"])},
        {"lines": np.ones(3)},
        {"t": pickled},
    ):
        written(tmp_path, **changes)
        with pytest.raises(MisuseError, match="damaged"):
            read_landscape(tmp_path)


def test_numbers_that_would_expand_take_no_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "LARGEST", 1000)
    written(tmp_path, plane=np.zeros((200, 200)))
    with pytest.raises(MisuseError, match="bytes"):
        read_landscape(tmp_path)


@pytest.mark.parametrize(
    "facts",
    [{"statistics": None}, {"size": 3}, {"loss": []}, {"split": 3}, {"sharpness": [3]}, {"sharpness": [{"rise": "x"}]}],
    ids=str,
)
def test_facts_that_no_landscape_has_are_one_message(tmp_path, facts):
    written(tmp_path, facts)
    with pytest.raises(MisuseError, match="damaged"):
        read_landscape(tmp_path)
