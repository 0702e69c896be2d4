"""Dice and Tversky losses against loops over pixels."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from segapp.losses import (
    CrossEntropy,
    Dice,
    DiceCrossEntropy,
    Tversky,
)
from tests.losses.reference import CLASS_WEIGHTS, batches, gradient, pair, softmax, valid_pixels


def reference_tversky(
    logits: np.ndarray,
    mask: np.ndarray,
    alpha: float,
    beta: float,
    smooth: float,
    per_image: bool,
    weights: list[float],
) -> float:
    p = softmax(logits)
    groups = [[n] for n in range(len(mask))] if per_image else [list(range(len(mask)))]
    losses = []
    for group in groups:
        pixels = [pixel for pixel in valid_pixels(mask) if pixel[0] in group]
        for c, weight in enumerate(weights if pixels else []):
            tp = sum(p[n, c, y, x] for n, y, x in pixels if mask[n, y, x] == c)
            fp = sum(p[n, c, y, x] for n, y, x in pixels if mask[n, y, x] != c)
            fn = sum(1 - p[n, c, y, x] for n, y, x in pixels if mask[n, y, x] == c)
            losses.append((weight, 1 - (tp + smooth) / (tp + alpha * fp + beta * fn + smooth)))
    mass = sum(weight for weight, _ in losses)
    return sum(weight * loss for weight, loss in losses) / mass if mass else 0.0


@given(
    batches(),
    st.booleans(),
    st.sampled_from([(0.5, 0.5), (0.3, 0.7), (1.0, 0.0)]),
    st.sampled_from([1e-3, 1.0]),
    st.booleans(),
)
@settings(deadline=None, max_examples=80)
def test_tversky_is_the_reference(
    batch: tuple[Tensor, Tensor], per_image: bool, rates: tuple[float, float], smooth: float, background: bool
) -> None:
    logits, mask = batch
    weights = [0.3, 1.7, 0.2, 2.0, 1.0][: logits.shape[1]]
    loss = Tversky(*rates, "image" if per_image else "batch", smooth, 0 if background else None, weights)
    counted = [0.0, *weights[1:]] if background else weights
    expected = reference_tversky(logits.numpy(), mask.numpy(), *rates, smooth, per_image, counted)
    assert float(loss(logits, mask)) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_dice_by_hand() -> None:
    logits = torch.tensor([[[[0.0, 30.0]], [[0.0, -30.0]]], [[[0.0, 0.0]], [[0.0, 0.0]]]])
    mask = torch.tensor([[[1, 0]], [[255, 1]]])
    # Image 0: p₁ = (½, 0), g₁ = (1, 0); p₀ = (½, 1), g₀ = (0, 1). Image 1: one pixel, p = ½, truth 1.
    first = 1 - (2 * 1 + 2) / (1.5 + 1 + 2), 1 - (2 * 0.5 + 2) / (0.5 + 1 + 2)
    second = 1 - (0 + 2) / (0.5 + 0 + 2), 1 - (2 * 0.5 + 2) / (0.5 + 1 + 2)
    batch = 1 - (2 * 1 + 2) / (2 + 1 + 2), 1 - (2 * 1 + 2) / (1 + 2 + 2)
    assert float(Dice("image")(logits, mask)) == pytest.approx((sum(first) + sum(second)) / 4)
    assert float(Dice("image", background=0)(logits, mask)) == pytest.approx((first[1] + second[1]) / 2)
    assert float(Dice("batch")(logits, mask)) == pytest.approx(sum(batch) / 2)
    assert float(Dice()(logits, mask)) == float(Dice("batch")(logits, mask))


def test_dice_per_image_leaves_out_images_without_a_valid_pixel() -> None:
    logits, mask = pair()
    mask[1] = 255
    whole, kept = Dice("image")(logits, mask), Dice("image")(logits[[0, 2]], mask[[0, 2]])
    assert float(whole) == pytest.approx(float(kept))


def test_dice_and_cross_entropy_is_their_sum() -> None:
    logits, mask = pair()
    parts = 0.7 * Dice("image", background=0)(logits, mask) + CrossEntropy(CLASS_WEIGHTS, 0.1)(logits, mask)
    both = DiceCrossEntropy("image", 0.7, CLASS_WEIGHTS, 0.1, background=0)
    assert float(both(logits, mask)) == pytest.approx(float(parts))


def test_dice_alone_unlearns_an_absent_class() -> None:
    """Of class 1 there is nothing but false positives: its own term of the loss has the gradient."""
    logits = torch.zeros(1, 2, 4, 4)
    mask = torch.zeros(1, 4, 4, dtype=torch.long)
    for reduce in ("image", "batch"):
        value, slope = gradient(Dice(reduce, background=0), logits, mask)
        assert value == pytest.approx(1 - 2 / (8 + 2))
        assert (slope[:, 1] > 0).all()
