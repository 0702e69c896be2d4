"""The Lovász loss against the definition of its extension."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from segapp.losses import (
    Lovasz,
)
from tests.losses.reference import batches, gradient, pair, softmax


def jaccard_loss(truth: np.ndarray, wrong: np.ndarray) -> float:
    """1 - IoU of the prediction that errs exactly at `wrong`."""
    return float(wrong.sum() / (truth | wrong).sum()) if (truth | wrong).any() else 0.0


def choquet(truth: np.ndarray, errors: np.ndarray) -> float:
    """The Lovász extension of the Jaccard loss as its integral ∫ Δ({errors ≥ t}) dt: no sorting, no gradient."""
    levels = np.unique(np.concatenate([[0.0], errors]))
    return sum(
        float(high - low) * jaccard_loss(truth, errors > (low + high) / 2) for low, high in itertools.pairwise(levels)
    )


def reference_lovasz(logits: np.ndarray, mask: np.ndarray, per_image: bool) -> float:
    p = np.moveaxis(softmax(logits), 1, -1)
    groups = list(zip(p, mask, strict=True)) if per_image else [(p, mask)]
    means = []
    for probabilities, labels in groups:
        valid = labels != 255
        present = np.unique(labels[valid])
        if len(present):
            truths = {c: labels[valid] == c for c in present}
            values = [choquet(t, np.abs(t - probabilities[valid][:, c])) for c, t in truths.items()]
            means.append(np.mean(values))
    return float(np.mean(means)) if means else 0.0


@given(batches(), st.booleans())
@settings(deadline=None, max_examples=80)
def test_lovasz_is_the_integral_of_the_jaccard_loss(batch: tuple[Tensor, Tensor], per_image: bool) -> None:
    logits, mask = batch
    expected = reference_lovasz(logits.numpy(), mask.numpy(), per_image)
    assert float(Lovasz("image" if per_image else "batch")(logits, mask)) == pytest.approx(expected, abs=1e-9)


def test_lovasz_of_a_certain_prediction_is_one_minus_iou() -> None:
    rng = np.random.default_rng(1)
    mask, guess = torch.from_numpy(rng.integers(0, 3, (2, 1, 8, 8)))
    logits = 60.0 * F.one_hot(guess, 3).movedim(-1, 1)
    ious = [((mask == c) & (guess == c)).sum() / ((mask == c) | (guess == c)).sum() for c in range(3)]
    assert float(Lovasz()(logits, mask)) == pytest.approx(1 - float(np.mean(ious)), abs=1e-6)


def test_lovasz_gradient_of_a_large_image_is_not_lost_to_rounding() -> None:
    logits, mask = pair(n=1, h=600, w=600)
    _, exact = gradient(Lovasz(), logits, mask)
    _, single = gradient(Lovasz(), logits.float(), mask)
    assert ((single - exact).abs().sum() / exact.abs().sum()) < 1e-4
