"""References of the losses as loops over pixels, batches of all kinds, and every loss."""

from collections.abc import Callable

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from segapp.losses import (
    CrossEntropy,
    DeepSupervision,
    Dice,
    DiceCrossEntropy,
    Focal,
    Lovasz,
    Tversky,
)

K = 4


CLASS_WEIGHTS = [0.5, 2.0, 0.0, 1.3]


LOSSES: dict[str, Callable[[], nn.Module]] = {
    "cross-entropy": CrossEntropy,
    "weighted cross-entropy": lambda: CrossEntropy([0.5, 2.0, 0.1, 1.3]),
    "smoothed cross-entropy": lambda: CrossEntropy([0.5, 2.0, 0.1, 1.3], 0.2),
    "dice per batch": Dice,
    "dice per image": lambda: Dice("image"),
    "dice without background": lambda: Dice("image", background=0),
    "weighted dice": lambda: Dice(class_weights=[0.5, 2.0, 0.1, 1.3]),
    "tversky": lambda: Tversky(0.3, 0.7, "image", 0.1),
    "dice + cross-entropy": lambda: DiceCrossEntropy("image", 0.5, [0.5, 2.0, 0.1, 1.3], 0.1),
    "focal": Focal,
    "focal 0.5": lambda: Focal(0.5, [0.5, 2.0, 0.1, 1.3]),
    "lovasz per image": Lovasz,
    "lovasz per batch": lambda: Lovasz("batch"),
    "deep supervision": lambda: DeepSupervision(DiceCrossEntropy()),
}


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def valid_pixels(mask: np.ndarray) -> list[tuple[int, int, int]]:
    return [index for index in np.ndindex(*mask.shape) if mask[index] != 255]


def pair(seed: int = 0, n: int = 3, h: int = 5, w: int = 6, k: int = K, ignored: float = 0.3) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(seed)
    mask = rng.integers(0, k, (n, h, w))
    mask[rng.random(mask.shape) < ignored] = 255
    return torch.from_numpy(rng.normal(0, 2, (n, k, h, w))), torch.from_numpy(mask)


@st.composite
def batches(draw: st.DrawFn) -> tuple[Tensor, Tensor]:
    """Small float64 logits and masks: ignored images, absent classes, one-pixel images, certain and equal logits."""
    seed, k = draw(st.integers(0, 2**32 - 1)), draw(st.integers(1, 5))
    n, h, w = draw(st.integers(1, 3)), draw(st.integers(1, 4)), draw(st.integers(1, 4))
    logits, mask = pair(seed, n, h, w, k, draw(st.sampled_from([0.0, 0.3, 0.9, 1.0])))
    logits = logits * draw(st.sampled_from([0.0, 0.1, 1.0, 10.0]))
    if draw(st.booleans()):
        mask = torch.where(mask == draw(st.integers(0, k - 1)), 255, mask)
    if draw(st.booleans()):
        mask[draw(st.integers(0, n - 1))] = draw(st.sampled_from([0, k - 1, 255]))
    return logits, mask


def gradient(loss: nn.Module, logits: Tensor, mask: Tensor) -> tuple[float, Tensor]:
    logits = logits.detach().clone().requires_grad_()
    value = loss(logits, mask)
    assert value.shape == ()
    value.backward()
    assert logits.grad is not None
    return float(value.detach()), logits.grad
