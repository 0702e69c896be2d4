"""Blocks cover an image once, and those of different splits stay apart."""

from itertools import combinations, product

import numpy as np
import pytest

from segapp.datasets.block_geometry import leave_gap, list_windows
from segapp.datasets.source import SPLITS


def test_an_image_is_cut_evenly():
    assert list_windows((5, 9), 4) == {
        (0, 0): (0, 0, 2, 3),
        (0, 1): (0, 3, 2, 3),
        (0, 2): (0, 6, 2, 3),
        (1, 0): (2, 0, 3, 3),
        (1, 1): (2, 3, 3, 3),
        (1, 2): (2, 6, 3, 3),
    }
    assert list_windows((4, 4), 4) == {(0, 0): (0, 0, 4, 4)}


@pytest.mark.parametrize(
    ("splits", "kept"),
    [
        ({}, (40, 40, 40, 40)),
        ({(1, 2): "train", (0, 1): "train"}, (40, 40, 40, 40)),
        ({(1, 2): "val"}, (40, 40, 40, 35)),  # right
        ({(0, 1): "test", (2, 1): "val"}, (45, 40, 30, 40)),  # above and below
        ({(0, 0): "val"}, (40, 45, 40, 35)),  # a corner: one strip, not two
        ({(0, 0): "val", (2, 0): "val"}, (40, 45, 40, 35)),  # two corners on the left: one strip
        ({(0, 0): "val", (0, 1): "val"}, (45, 40, 35, 40)),  # the strip above settles the corner too
        ({(0, 0): "val", (2, 2): "val"}, (40, 45, 35, 35)),  # opposite corners: two strips
    ],
)
def test_a_training_block_leaves_strips_to_others(splits, kept):
    assert leave_gap((40, 40, 40, 40), (1, 1), {(1, 1): "train", **splits}, 5) == kept


def test_the_block_of_the_test_is_complete_and_that_of_validation_yields_to_it():
    splits = {(0, 0): "test", (0, 1): "val", (0, 2): "train"}
    windows = list_windows((40, 120), 40)
    assert [leave_gap(windows[cell], cell, splits, 5)[1::2] for cell in windows] == [(0, 40), (45, 35), (85, 35)]


@pytest.mark.parametrize("seed", range(3))
def test_no_pixel_is_in_two_splits_and_the_gap_is_kept(seed):
    rng = np.random.default_rng(seed)
    windows = list_windows(tuple(rng.integers(150, 400, 2)), 32)
    splits = {cell: SPLITS[rng.integers(3)] for cell in windows if rng.random() < 0.9}
    used = {cell: leave_gap(windows[cell], cell, splits, 7) for cell in splits}
    image = np.zeros(list_windows_end(windows), int)
    for y, x, h, w in used.values():
        assert min(h, w) > 0
        image[y : y + h, x : x + w] += 1
    assert image.max() == 1
    for (one, first), (other, second) in combinations(used.items(), 2):
        if splits[one] != splits[other]:
            assert measure_distance(first, second) >= 7
    for cell, (y, x, h, w) in used.items():  # a strip is left out only where another split is near
        if (y, x, h, w) != windows[cell]:
            near = [(cell[0] + row, cell[1] + column) for row, column in product((-1, 0, 1), repeat=2)]
            assert any(splits.get(other, splits[cell]) != splits[cell] for other in near)


def list_windows_end(windows):
    return tuple(max(window[axis] + window[axis + 2] for window in windows.values()) for axis in (0, 1))


def measure_distance(first, second):
    """Return the pixels between two windows, along the axis on which they are farther apart."""
    return max(
        max(first[axis], second[axis]) - min(first[axis] + first[axis + 2], second[axis] + second[axis + 2])
        for axis in (0, 1)
    )
