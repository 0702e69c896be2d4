"""How well masks lie on their images."""

import numpy as np
import pytest

from segapp.checking.alignment import SMALL, find_borders, measure_edges, measure_fit
from tests.checking.shapes import draw


def test_borders_lie_before_a_change_to_the_right_or_below():
    mask = np.array([[0, 0, 1], [0, 0, 1], [2, 2, 2]], np.uint8)
    assert find_borders(mask).astype(int).tolist() == [[0, 1, 0], [1, 1, 1], [0, 0, 0]]


def test_edges_are_strongest_at_a_step_and_nowhere_in_a_plain_image():
    grey = np.zeros((20, 20), np.float32)
    grey[:, 10:] = 1
    strength = measure_edges(grey)
    assert strength.max() == 1 and strength[:, 9:11].min() == 1 and strength[:, :5].max() == 0
    assert not measure_edges(np.full((20, 20), 0.5, np.float32)).any()


@pytest.mark.parametrize("seed", range(3))
def test_a_mask_in_its_place_fits_best_there(seed):
    image, mask = draw(seed)
    fit, edges = measure_fit(image, mask // 255)
    assert fit.motion == "" and fit.best == fit.own > 5
    assert edges.borders.shape == (SMALL, SMALL) and edges.borders.any()


MOVED = {
    "shifted by 8 rows": (lambda mask: np.roll(mask, 8, axis=0), "shifted by -10% down"),
    "shifted by 10 columns": (lambda mask: np.roll(mask, -10, axis=1), "% right"),
    "mirrored": (lambda mask: mask[:, ::-1], "mirrored left to right"),
    "upside down": (lambda mask: mask[::-1], "mirrored top to bottom"),
    "turned": (lambda mask: mask[::-1, ::-1], "turned by 180 degrees"),
}


@pytest.mark.parametrize(("move", "motion"), MOVED.values(), ids=MOVED)
def test_the_motion_that_puts_a_mask_right_is_named(move, motion):
    image, mask = draw(0)
    fit, _ = measure_fit(image, np.ascontiguousarray(move(mask // 255)))
    assert motion in fit.motion
    assert fit.best > fit.own + 3


def test_a_transposed_mask_of_a_square_image_is_named():
    image, mask = draw(0, (96, 96))
    fit, _ = measure_fit(image, np.ascontiguousarray(mask.T // 255))
    assert fit.motion == "transposed"


def test_nothing_is_said_of_a_mask_without_borders_or_an_image_without_edges():
    image, mask = draw(0)
    assert measure_fit(image, np.zeros_like(mask)) == (None, None)
    assert measure_fit(np.full_like(image, 7), mask // 255) == (None, None)
