"""Losses of images in which only some classes were looked for."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from segapp.errors import MisuseError
from segapp.losses import (
    CrossEntropy,
    DeepSupervision,
    Dice,
    DiceCrossEntropy,
    Focal,
    Lovasz,
    PartialLabels,
    PixelwiseLoss,
    Tversky,
    list_partial_labels,
)
from segapp.losses.partial_labels import merge_classes
from tests.losses.reference import pair

WEIGHTS = [0.5, 2.0, 0.1, 1.3]

Make = Callable[[list[float]], nn.Module]

LOSSES: dict[str, Make] = {
    "cross-entropy": CrossEntropy,
    "smoothed": lambda weights: CrossEntropy(weights, 0.2),
    "focal": lambda weights: Focal(2.0, weights),
    "dice per batch": lambda weights: Dice(class_weights=weights),
    "tversky per image": lambda weights: Tversky(0.3, 0.7, "image", 0.1, 0, weights),
    "both": lambda weights: DiceCrossEntropy("image", 0.5, weights, 0.1),
    "lovasz": lambda _: Lovasz(),
    "deep": lambda weights: DeepSupervision(DiceCrossEntropy(class_weights=weights)),
}


def look_for(*images: list[bool]) -> PartialLabels:
    return PartialLabels(torch.tensor(images), 0)


def test_a_background_pixel_may_be_of_a_class_that_was_not_looked_for() -> None:
    """Worked by hand: of probabilities 0.5, 0.3 and 0.2, the background and class 2 together have 0.7."""
    logits = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64).log().reshape(1, 3, 1, 1)
    mask, partial = torch.zeros(1, 1, 1, dtype=torch.int64), look_for([True, True, False])
    merged = merge_classes(logits, partial).softmax(1).flatten().tolist()
    assert merged == pytest.approx([0.7, 0.3, 0.0])
    assert float(CrossEntropy()(logits, mask, partial)) == pytest.approx(-math.log(0.7))
    smoothed = -0.9 * math.log(0.7) - 0.1 * (math.log(0.7) + math.log(0.3)) / 2
    assert float(CrossEntropy(None, 0.1)(logits, mask, partial)) == pytest.approx(smoothed)
    assert float(Focal(2.0)(logits, mask, partial)) == pytest.approx(-(0.3**2) * math.log(0.7))
    # Dice of the background 2 (0.7 + 1) / (0.7 + 1 + 2), of class 1 2 / (0.3 + 2); class 2 is left out
    dice = ((1 - 3.4 / 3.7) + (1 - 2 / 2.3)) / 2
    assert float(Dice()(logits, mask, partial)) == pytest.approx(dice)


@pytest.mark.parametrize("name", LOSSES)
@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1), missing=st.sets(st.integers(1, 3), min_size=1))
def test_a_loss_is_that_of_the_problem_without_the_others(name: str, seed: int, missing: set[int]) -> None:
    logits, mask = pair(seed)
    kept = [index for index in range(4) if index not in missing]
    mask = torch.where(torch.isin(mask, torch.tensor(sorted(missing))), 0, mask)
    p = logits.softmax(1)
    reduced = p[:, kept].clone()
    reduced[:, 0] += p[:, sorted(missing)].sum(1)
    target = mask.clone()
    for new, old in enumerate(kept):
        target[mask == old] = new
    expected = LOSSES[name]([WEIGHTS[index] for index in kept])(reduced.log(), target)
    partial = look_for(*[[index in kept for index in range(4)]] * len(mask))
    assert float(LOSSES[name](WEIGHTS)(logits, mask, partial)) == pytest.approx(float(expected), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_images_with_all_classes_are_as_without_partial_labels(name: str) -> None:
    logits, mask = pair(3)
    loss = LOSSES[name](WEIGHTS)
    assert float(loss(logits, mask, look_for(*[[True] * 4] * 3))) == pytest.approx(float(loss(logits, mask)), rel=1e-12)


@pytest.mark.parametrize("reduce", ["batch", "image"])
def test_dice_of_a_class_sums_over_the_images_in_which_it_was_looked_for(reduce: str) -> None:
    """Against loops over pixels."""
    logits, mask = pair(5)
    known = [[True, True, False, False], [True, False, True, False], [True, True, True, False]]
    for image, looked_for in enumerate(known):
        mask[image][torch.isin(mask[image], torch.tensor([k for k in range(4) if not looked_for[k]]))] = 0
    sums = np.zeros((3, 4, 3))  # of p · g, p and g
    p = logits.softmax(1).numpy()
    for image, y, x in np.ndindex(*mask.shape):
        label = int(mask[image, y, x])
        for k in range(4) if label != 255 else ():
            if known[image][k]:
                own = sum(p[image, j, y, x] for j in range(4) if j == k or (k == 0 and not known[image][j]))
                sums[image, k] += (own * (label == k), own, label == k)
    groups = [[0, 1, 2]] if reduce == "batch" else [[0], [1], [2]]
    losses = []
    for group in groups:
        for k in range(4):
            if any(known[image][k] for image in group):
                hits, predicted, true = sums[group, k].sum(0)
                losses.append(1 - (2 * hits + 2) / (predicted + true + 2))
    found = Dice(reduce)(logits, mask, look_for(*known))  # type: ignore[arg-type]
    assert float(found) == pytest.approx(float(np.mean(losses)), rel=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_finite_slopes(name: str) -> None:
    logits, mask = pair(2, n=2, h=2, w=2)
    partial = look_for([True, False, True, False], [True, True, True, True])
    mask[0][torch.isin(mask[0], torch.tensor([1, 3]))] = 0
    loss = LOSSES[name](WEIGHTS)
    assert torch.autograd.gradcheck(lambda x: loss(x, mask, partial), (logits.requires_grad_(),), eps=1e-7, atol=1e-6)


class Own(PixelwiseLoss):
    """A loss of a user, which knows nothing of partial labels."""

    def compute_sums(self, logits: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        return logits.sum(), logits.new_ones(())


def test_a_loss_that_does_not_take_partial_labels_is_refused_where_there_are_some() -> None:
    looked_for = torch.tensor([[True, False]])
    assert list_partial_labels(Own(), None, 0) == []
    assert len(list_partial_labels(DeepSupervision(Dice()), looked_for, 0)) == 1
    for loss in (Own(), nn.CrossEntropyLoss(), DeepSupervision(nn.CrossEntropyLoss())):
        with pytest.raises(MisuseError, match=r"segapp\.losses"):
            list_partial_labels(loss, looked_for, 0)
    logits, mask = pair()
    assert Own()(logits, mask) == logits.sum()
