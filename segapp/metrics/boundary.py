"""Scores of outlines: how much of two masks' boundaries agree, and how far apart the rest is.

`outlines` says what a boundary is.

Rules for empty masks, per image and class:

* in neither target nor prediction: no score (NaN), left out of every mean;
* in one of them only: surface Dice 0, and HD95 the diagonal of the image, as no two pixels are further apart;
* in both, but without a boundary in either (each fills all pixels that are not ignored): surface Dice 1, HD95 0;
* in both, with a boundary in only one: surface Dice 0, HD95 the diagonal.
"""

import math
from typing import NamedTuple

import numpy as np
from torch import Tensor, float64, tensor

from segapp.metrics.outlines import TOLERANCE, BoundaryDistances, Presence, measure_boundaries
from segapp.metrics.score import Comparison, Score


class BoundaryScore(NamedTuple):
    """Of one class in one image."""

    surface_dice: float
    """In [0, 1]; NaN where the class is in neither mask."""
    hd95: float
    """In pixels, or in the unit of `spacing`; NaN where the class is in neither mask."""


class Boundary(Score):
    """Surface Dice and HD95 of every class (`score_boundaries`), in the unit of the comparison."""

    columns = BoundaryScore._fields
    lower_is_better = ("hd95",)

    def update(self, comparison: Comparison) -> Tensor:
        """Return (2, K) float64: surface Dice and HD95; NaN where the class is in neither mask."""
        tolerance = comparison.unit.tolerance
        return tensor([score_distances(distances, tolerance) for distances in comparison.boundaries], dtype=float64).T


def score_boundaries(
    prediction: np.ndarray,
    mask: np.ndarray,
    num_classes: int,
    tolerance: float = TOLERANCE,
    spacing: tuple[float, float] = (1.0, 1.0),
) -> list[BoundaryScore]:
    """Score surface Dice and HD95 of every class of one image.

    Surface Dice: the fraction of both boundaries' pixels that are within `tolerance` of the other boundary (Nikolov et
    al. 2021, "Clinically Applicable Segmentation of Head and Neck Anatomy", weigh by length of boundary instead of
    counting pixels). HD95: of either boundary the 95th percentile (linear interpolation) of the distances to the other,
    and of the two the larger ("Metrics Reloaded", Maier-Hein et al. 2024). Distances are
    Euclidean between pixel centres and exact.

    Args:
        prediction: (H, W) class indices.
        mask: (H, W) true class indices; pixels of 255 count as neither, whatever was predicted there.
        num_classes: K; a score for each of 0 … K-1.
        tolerance: In pixels, or in the unit of `spacing`.
        spacing: Height and width of a pixel.

    Raises:
        SegappError: shapes that differ, or are not (H, W).
    """
    measured = measure_boundaries(prediction, mask, num_classes, spacing)
    return [score_distances(distances, tolerance) for distances in measured]


def score_distances(distances: BoundaryDistances, tolerance: float = TOLERANCE) -> BoundaryScore:
    """Score surface Dice and HD95 of one class."""
    if distances.presence is Presence.NEITHER:
        return BoundaryScore(math.nan, math.nan)
    if distances.presence is Presence.FULL:
        return BoundaryScore(1.0, 0.0)
    if distances.presence is Presence.ONE:
        return BoundaryScore(0.0, distances.diagonal)
    directions = (distances.from_target, distances.from_prediction)
    close = sum(int(np.count_nonzero(each <= tolerance)) for each in directions)
    far = max(map(find_percentile, directions))
    return BoundaryScore(close / sum(map(len, directions)), far)


def find_percentile(distances: np.ndarray) -> float:
    """Return the 95th percentile as `numpy.percentile` does, whose checks take longer than the selection."""
    if len(distances) == 1:
        return float(distances[0])
    below, weight = divmod(0.95 * (len(distances) - 1), 1)
    rank = int(below)
    low, high = np.partition(distances, (rank, rank + 1))[rank : rank + 2].tolist()
    step = high - low
    return low + step * weight if weight < 0.5 else high - step * (1 - weight)
