"""HD and ASSD against loops over all pairs of boundary pixels."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from segapp.metrics import Comparison
from segapp.metrics.distance import Distance
from tests.metrics.test_boundary import DIAGONAL, DOT, EMPTY, FULL, boundary, drawn, nearest, square


def score(prediction: np.ndarray, mask: np.ndarray, classes: int) -> list[list[float]]:
    """(K, 2)"""
    comparison = Comparison(torch.from_numpy(prediction), torch.from_numpy(mask), classes)
    return Distance(["a"] * classes, None).update(comparison).T.tolist()


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=25)
def test_distances_are_loops_over_pairs_of_pixels(seed: int) -> None:
    prediction, mask = drawn(seed)
    for label, found in enumerate(score(prediction, mask, 3)):
        target, predicted = boundary(mask, mask, label), boundary(prediction, mask, label)
        if not target or not predicted:
            continue  # by hand below
        there, back = nearest(target, predicted, (1, 1)), nearest(predicted, target, (1, 1))
        assert found == pytest.approx([max(there + back), sum(there + back) / len(there + back)])


@pytest.mark.parametrize(
    ("prediction", "mask", "expected"),
    [
        (EMPTY, EMPTY, (math.nan, math.nan)),
        (FULL, FULL, (0, 0)),
        (EMPTY, DOT, (DIAGONAL, DIAGONAL)),
        (FULL, DOT, (DIAGONAL, DIAGONAL)),
        (square(5, 8, 1), DOT, (3, 3)),
        (DOT, DOT, (0, 0)),
    ],
)
def test_empty_full_and_single_pixels_by_hand(prediction, mask, expected) -> None:
    assert score(prediction, mask, 2)[1] == pytest.approx(expected, nan_ok=True)
