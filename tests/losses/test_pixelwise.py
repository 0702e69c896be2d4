"""Cross-entropy and focal loss against loops over pixels and against PyTorch."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from segapp.losses import (
    CrossEntropy,
    Dice,
    Focal,
    PixelwiseLoss,
)
from tests.losses.reference import CLASS_WEIGHTS, batches, gradient, pair, softmax, valid_pixels


def reference_cross_entropy(
    logits: np.ndarray, mask: np.ndarray, weights: list[float], smoothing: float = 0.0, gamma: float = 0.0
) -> float:
    """Σ w·(1 - p)^γ·(-log p) / Σ w; the smoothed share weighs every class by its own weight, as PyTorch does."""
    log_p = np.log(softmax(logits))
    total = mass = 0.0
    for n, y, x in valid_pixels(mask):
        row, truth = log_p[n, :, y, x], mask[n, y, x]
        total -= (1 - smoothing) * weights[truth] * (1 - np.exp(row[truth])) ** gamma * row[truth]
        total -= smoothing / len(row) * sum(w * value for w, value in zip(weights, row, strict=True))
        mass += weights[truth]
    return total / mass if mass else 0.0


@given(batches(), st.sampled_from([0.0, 0.1, 0.6]), st.booleans())
@settings(deadline=None, max_examples=60)
def test_cross_entropy_is_the_reference(batch: tuple[Tensor, Tensor], smoothing: float, weighted: bool) -> None:
    logits, mask = batch
    weights = [0.3, 1.7, 0.2, 2.0, 1.0][: logits.shape[1]] if weighted else None
    expected = reference_cross_entropy(logits.numpy(), mask.numpy(), weights or [1.0] * logits.shape[1], smoothing)
    assert float(CrossEntropy(weights, smoothing)(logits, mask)) == pytest.approx(expected, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, [0.5, 2.0, 0.1, 1.3]])
def test_cross_entropy_is_pytorchs_mean(weights: list[float] | None, smoothing: float) -> None:
    logits, mask = pair(h=40, w=50)
    loss = CrossEntropy(weights, smoothing)
    tensor = None if weights is None else torch.tensor(weights)

    class PyTorch(nn.Module):
        def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
            return F.cross_entropy(logits, mask, tensor, ignore_index=255, label_smoothing=smoothing)

    value, slope = gradient(loss, logits.float(), mask)
    expected, expected_slope = gradient(PyTorch(), logits.float(), mask)
    assert value == pytest.approx(expected, rel=3e-7)
    torch.testing.assert_close(slope, expected_slope, rtol=1e-6, atol=1e-10)


def test_smoothing_over_pixels_of_weight_zero_counts_for_nothing() -> None:
    logits, _ = pair()
    value, slope = gradient(CrossEntropy(CLASS_WEIGHTS, 0.1), logits, torch.full((3, 5, 6), 2))
    assert value == 0 and not slope.any()


@given(batches(), st.sampled_from([0.0, 0.5, 1.0, 2.0, 5.0]))
@settings(deadline=None, max_examples=60)
def test_focal_is_the_reference(batch: tuple[Tensor, Tensor], gamma: float) -> None:
    logits, mask = batch
    weights = [0.3, 1.7, 0.2, 2.0, 1.0][: logits.shape[1]]
    expected = reference_cross_entropy(logits.numpy(), mask.numpy(), weights, 0.0, gamma)
    assert float(Focal(gamma, weights)(logits, mask)) == pytest.approx(expected, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("loss", [CrossEntropy(label_smoothing=0.1), CrossEntropy([0.5, 2.0, 0.1, 1.3]), Focal()])
def test_sums_of_parts_give_value_and_gradient_of_the_whole(loss: PixelwiseLoss) -> None:
    """What processes with 1 and 2 images, differently ignored, reduce to be exact."""
    logits, mask = pair()
    mask[0, :4] = 255
    logits.requires_grad_()
    parts = [loss.compute_sums(logits[part], mask[part]) for part in (slice(0, 1), slice(1, 3))]
    total, weight = (sum(values, start=torch.tensor(0)) for values in zip(*parts, strict=True))
    value, slope = gradient(loss, logits, mask)
    assert float((total / weight).detach()) == pytest.approx(value, rel=1e-12)
    (found,) = torch.autograd.grad(total / weight, logits)
    torch.testing.assert_close(found, slope, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize(
    ("loss", "even", "equal"),
    [(CrossEntropy(), True, True), (CrossEntropy(), False, False), (Dice("image"), False, True), (Dice(), True, False)],
    ids=["mean over even pixels", "mean over uneven pixels", "of images", "of the batch"],
)
def test_accumulated_batches_are_the_larger_batch_only_for_means_of_equal_weight(loss, even, equal):
    """As docs/training.md says."""
    torch.manual_seed(0)
    logits = torch.randn(8, 3, 8, 8, dtype=torch.float64, requires_grad=True)
    mask = torch.randint(0, 3, (8, 8, 8))
    mask[:, :2] = 255
    mask[4:, : 2 if even else 7] = 255
    (whole,) = torch.autograd.grad(loss(logits, mask), logits)
    halves = (loss(logits[:4], mask[:4]) + loss(logits[4:], mask[4:])) / 2
    (accumulated,) = torch.autograd.grad(halves, logits)
    assert torch.allclose(whole, accumulated, rtol=0, atol=1e-12) == equal
