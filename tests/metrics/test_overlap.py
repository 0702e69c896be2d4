"""Dice and IoU of counts, by hand and by their relations."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from segapp.metrics import compute_dice, compute_iou

counts = st.integers(0, 2**40)


def tensors(*numbers: int) -> list[torch.Tensor]:
    return [torch.tensor([number]) for number in numbers]


def test_by_hand() -> None:
    assert float(compute_dice(*tensors(3, 1, 2))) == pytest.approx(6 / 9)
    assert float(compute_iou(*tensors(3, 1, 2))) == pytest.approx(3 / 6)


@pytest.mark.parametrize("score", [compute_dice, compute_iou])
def test_absent_has_no_score_and_predicted_without_truth_has_zero(score) -> None:
    assert math.isnan(float(score(*tensors(0, 0, 0))))
    assert float(score(*tensors(0, 5, 0))) == 0
    assert float(score(*tensors(0, 0, 5))) == 0
    assert float(score(*tensors(5, 0, 0))) == 1


@given(counts, counts, counts)
def test_scores_lie_in_zero_to_one_and_dice_follows_from_iou(tp: int, fp: int, fn: int) -> None:
    d, i = compute_dice(*tensors(tp, fp, fn)), compute_iou(*tensors(tp, fp, fn))
    assert d.dtype == i.dtype == torch.float64
    if tp + fp + fn:
        assert 0 <= float(i) <= float(d) <= 1
        assert float(d) == pytest.approx(2 * float(i) / (1 + float(i)), rel=1e-12)
        assert float(d) == pytest.approx(2 * tp / (2 * tp + fp + fn), rel=1e-12)
