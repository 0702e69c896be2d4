"""Sets of images, and their scores by loops over pixels."""

import math

import numpy as np
import torch

from segapp.metrics import ScoreCollector

CLASSES = ("ground", "cell", "border", "debris")


Pair = tuple[np.ndarray, np.ndarray]


def images(seed: int, count: int, k: int = 4) -> list[Pair]:
    """Images of several sizes; classes are missing here and there, one image is ignored throughout."""
    rng = np.random.default_rng(seed)
    pairs = []
    for index in range(count):
        shape = tuple(rng.integers(1, 7, 2))
        here = rng.choice(k, rng.integers(1, k + 1), replace=False)
        mask, prediction = rng.choice(here, shape), rng.choice(here[: rng.integers(1, k + 1)], shape)
        mask[rng.random(shape) < (1.0 if index % 5 == 3 else 0.2)] = 255
        pairs.append((prediction.astype(np.uint8), mask.astype(np.uint8)))
    return pairs


def filled(pairs: list[Pair], background: int | None = None, keep_confusion: bool = False) -> ScoreCollector:
    scores = ScoreCollector(CLASSES, background, keep_confusion=keep_confusion)
    for index, (prediction, mask) in enumerate(pairs):
        scores.update(torch.from_numpy(prediction), torch.from_numpy(mask), f"{index:03}")
    return scores


def rates(pairs: list[Pair], c: int) -> tuple[float, float]:
    """Dice and IoU of class c over all pixels of these images; NaN where it is in neither truth nor prediction."""
    truth = np.concatenate([mask[mask != 255] == c for _, mask in pairs])
    guess = np.concatenate([prediction[mask != 255] == c for prediction, mask in pairs])
    if not (truth | guess).any():
        return math.nan, math.nan
    return 2 * (truth & guess).sum() / (truth.sum() + guess.sum()), (truth & guess).sum() / (truth | guess).sum()


def mean(values: list[float]) -> float:
    defined = [value for value in values if not math.isnan(value)]
    return sum(defined) / len(defined) if defined else math.nan
