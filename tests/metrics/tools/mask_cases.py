"""Pairs of masks on which tools differ: random, empty, full, absent classes, ignored regions, a single pixel."""

import numpy as np
import torch

from segapp.metrics.tools import SetCounts, count_image

K = 4
Pair = tuple[np.ndarray, np.ndarray]
"""Prediction and target, (H, W) int64; 255 = ignored."""


def _random(seed: int, size: int = 9, classes: int = K) -> Pair:
    rng = np.random.default_rng(seed)
    target = rng.integers(0, classes, (size, size))
    return np.where(rng.random(target.shape) < 0.4, rng.integers(0, classes, target.shape), target), target


def _fill(predicted: int, true: int, size: int = 9) -> Pair:
    return np.full((size, size), predicted), np.full((size, size), true)


def _ignore(pair: Pair, rows: int) -> Pair:
    target = pair[1].copy()
    target[:rows] = 255
    return pair[0], target


def _dot(predicted: int, true: int) -> Pair:
    pair = _fill(0, 0)
    pair[0][4, 4], pair[1][4, 4] = predicted, true
    return pair


CASES: dict[str, list[Pair]] = {
    "random": [_random(seed) for seed in range(3)],
    "empty target": [_random(0), (_random(1)[0], np.zeros((9, 9), int))],
    "empty prediction": [_random(0), (np.zeros((9, 9), int), _random(1)[1])],
    "full": [_fill(1, 1), _fill(2, 1)],
    "absent class": [_random(seed, classes=3) for seed in range(2)],
    "never in the target": [_dot(3, 0), _random(0, classes=2)],
    "single pixel": [_dot(1, 1), _dot(1, 0), _dot(0, 1)],
    "perfect": [(_random(seed)[1],) * 2 for seed in range(2)],
}
IGNORED: dict[str, list[Pair]] = {
    "ignored region": [_ignore(_random(seed), 4) for seed in range(3)],
    "ignored image": [_ignore(_random(0), 9), _random(1)],
}


def count(pairs: list[Pair], background: int | None = None) -> SetCounts:
    images = [count_image(f"{i}", *map(torch.from_numpy, pair), K) for i, pair in enumerate(pairs)]
    return SetCounts.collect(images, [f"class {c}" for c in range(K)], background)


def stack(pairs: list[Pair]) -> tuple[torch.Tensor, torch.Tensor]:
    """Predictions and targets, (I, H, W) int64."""
    predictions, targets = (torch.from_numpy(np.stack(masks)).long() for masks in zip(*pairs, strict=True))
    return predictions, targets


def encode(indices: torch.Tensor) -> torch.Tensor:
    """(I, K, H, W) int64 one-hot; ignored pixels are of no class."""
    return torch.stack([indices == c for c in range(K)], 1).long()
