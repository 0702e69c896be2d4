"""Centreline Dice against sets of pixels, and by hand."""

import math

import numpy as np
import pytest
import torch
from skimage.morphology import skeletonize

from segapp.errors import MisuseError
from segapp.metrics import CentrelineDice, Comparison
from segapp.metrics.centreline import require_skeletons, score_centrelines


def score(prediction: np.ndarray, target: np.ndarray, classes: int = 2) -> list[float]:
    pair = (torch.from_numpy(each.astype(np.uint8)) for each in (prediction, target))
    return CentrelineDice([str(index) for index in range(classes)], None).update(Comparison(*pair, classes))[0].tolist()


def count_in_sets(prediction: np.ndarray, target: np.ndarray) -> float:
    """The paper's formula, with sets of pixels; 255 in the target is ignored."""
    known = set(map(tuple, np.argwhere(target != 255).tolist()))
    masks = [set(map(tuple, np.argwhere(each == 1).tolist())) for each in (prediction, target)]
    thin = [set(map(tuple, np.argwhere(skeletonize(each == 1)).tolist())) & known for each in (prediction, target)]
    if not masks[0] & known and not masks[1]:
        return math.nan
    if not thin[0] or not thin[1]:
        return 0.0
    precision, sensitivity = len(thin[0] & masks[1]) / len(thin[0]), len(thin[1] & masks[0]) / len(thin[1])
    return 2 * precision * sensitivity / (precision + sensitivity) if precision + sensitivity else 0.0


@pytest.mark.parametrize("seed", range(40))
def test_scores_are_those_of_sets_of_pixels(seed) -> None:
    random = np.random.default_rng(seed)
    prediction, target = (random.random((2, 24, 31)) < random.choice([0.05, 0.5, 0.9])).astype(np.uint8)
    target[random.random(target.shape) < 0.1] = 255
    if seed % 4 == 0:
        (prediction if seed % 8 else target)[:] = 0
    (_, found) = score(prediction, target)
    assert found == pytest.approx(count_in_sets(prediction, target), abs=1e-12, nan_ok=True)


def test_an_interrupted_tube_by_hand() -> None:
    target = np.zeros((9, 40), np.uint8)
    target[3:6] = 1  # three pixels thick: its skeleton is the middle row, less a pixel at some ends
    cut = target.copy()
    cut[:, 10:20] = 0
    assert score(target, target)[1] == 1.0
    length = int(skeletonize(target).sum())
    sensitivity = (length - 10) / length  # ten pixels of the skeleton are missed; what is left lies inside
    assert score(cut, target)[1] == pytest.approx(2 * sensitivity / (1 + sensitivity))
    assert score(np.roll(target, 3, 0), target)[1] == 0.0  # beside it: no skeleton lies in the other


def test_a_class_in_one_mask_scores_0_and_in_none_nothing() -> None:
    empty, dot = np.zeros((5, 5), np.uint8), np.zeros((5, 5), np.uint8)
    dot[2, 2] = 1
    assert score(dot, empty)[1] == score(empty, dot)[1] == 0.0
    assert math.isnan(score(empty, empty)[1])
    ignored = np.full((5, 5), 255, np.uint8)
    assert all(map(math.isnan, score(dot, ignored)))
    known = np.ones((5, 5), bool)
    assert score_centrelines(dot == 1, dot == 1, known) == 1.0


def test_scikit_image_is_named_where_it_is_missing(monkeypatch) -> None:
    require_skeletons()
    monkeypatch.setattr("segapp.metrics.centreline.find_spec", lambda name: None)
    with pytest.raises(MisuseError, match=r"segapp\[tubes\]"):
        require_skeletons()
