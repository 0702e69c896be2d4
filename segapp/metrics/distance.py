"""Scores of how far apart two boundaries are: their largest and their mean distance.

Rules for empty masks are those of HD95 (`boundary`).
"""

import math
from typing import NamedTuple

from torch import Tensor, float64, tensor

from segapp.metrics.outlines import BoundaryDistances, Presence
from segapp.metrics.score import Comparison, Score


class DistanceScore(NamedTuple):
    """Of one class in one image, in pixels or the unit of the spacing; NaN where the class is in neither mask."""

    hd: float
    """The Hausdorff distance: the largest distance from a boundary to the other."""
    assd: float
    """The mean over the pixels of both boundaries of the distance to the other (Heimann et al. 2009)."""


class Distance(Score):
    """Hausdorff distance and average symmetric surface distance of every class, in the unit of the comparison."""

    columns = DistanceScore._fields
    lower_is_better = DistanceScore._fields
    in_brief = False

    def update(self, comparison: Comparison) -> Tensor:
        """Return (2, K) float64: HD and ASSD; NaN where the class is in neither mask."""
        return tensor([score_distance(distances) for distances in comparison.boundaries], dtype=float64).T


def score_distance(distances: BoundaryDistances) -> DistanceScore:
    """Score HD and ASSD of one class."""
    if distances.presence is Presence.NEITHER:
        return DistanceScore(math.nan, math.nan)
    if distances.presence is Presence.FULL:
        return DistanceScore(0.0, 0.0)
    if distances.presence is Presence.ONE:
        return DistanceScore(distances.diagonal, distances.diagonal)
    there, back = distances.from_target, distances.from_prediction
    mean = (there.sum() + back.sum()) / (len(there) + len(back))
    return DistanceScore(float(max(there.max(), back.max())), float(mean))
