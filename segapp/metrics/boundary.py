"""Scores of outlines: how much of two masks' boundaries agree, and how far apart the rest is.

The boundary of a class is its pixels with a neighbour above, below, left or right that is another class. The frame of
the image and ignored pixels hide where an object ends: a pixel is no boundary because of them.

Rules for empty masks, per image and class:

* in neither target nor prediction: no score (NaN), left out of every mean;
* in one of them only: surface Dice 0, and HD95 the diagonal of the image, as no two pixels are further apart;
* in both, but without a boundary in either (each fills all pixels that are not ignored): surface Dice 1, HD95 0;
* in both, with a boundary in only one: surface Dice 0, HD95 the diagonal.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree
from torch import Tensor, float64, tensor

from segapp.batch import IGNORE_INDEX
from segapp.errors import SegappError
from segapp.metrics.score import Comparison, Score

TOLERANCE = 2.0
"""In pixels, or in the unit of `spacing`."""


class BoundaryScore(NamedTuple):
    """Of one class in one image."""

    surface_dice: float
    """In [0, 1]; NaN where the class is in neither mask."""
    hd95: float
    """In pixels, or in the unit of `spacing`; NaN where the class is in neither mask."""


class Boundary(Score):
    """Surface Dice with a tolerance of 2 pixels, and HD95 in pixels, of every class (`score_boundaries`)."""

    columns = BoundaryScore._fields
    lower_is_better = ("hd95",)

    def update(self, comparison: Comparison) -> Tensor:
        """Return (2, K) float64: surface Dice and HD95; NaN where the class is in neither mask."""
        prediction, target = comparison.prediction.cpu().numpy(), comparison.target.cpu().numpy()
        return tensor(score_boundaries(prediction, target, comparison.num_classes), dtype=float64).T


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
    if prediction.shape != mask.shape or mask.ndim != 2:
        raise SegappError(
            f"a prediction of shape {prediction.shape} has no boundary scores against a mask of shape {mask.shape}: "
            "both must be (height, width), and equal."
        )
    known = mask != IGNORE_INDEX
    targets = _Outlines(mask, known)
    predictions = _Outlines(prediction, known)
    diagonal = math.hypot(*(size * step for size, step in zip(mask.shape, spacing, strict=True)))
    return [_score(targets, predictions, label, tolerance, spacing, diagonal) for label in range(num_classes)]


class _Outlines:
    """Pixels where a class map changes, found once for all classes."""

    def __init__(self, indices: np.ndarray, known: np.ndarray) -> None:
        edge = np.zeros(indices.shape, bool)
        for here, there in (
            ((slice(1, None), slice(None)), (slice(None, -1), slice(None))),
            ((slice(None), slice(1, None)), (slice(None), slice(None, -1))),
        ):
            change = (indices[here] != indices[there]) & known[here] & known[there]
            edge[here] |= change
            edge[there] |= change
        self.points = np.argwhere(edge)
        self.labels = indices[edge]
        self.present = set(np.unique(indices[known]).tolist())

    def get_points(self, label: int, spacing: tuple[float, float]) -> np.ndarray:
        """Return (points, 2) float64 positions of a class's boundary."""
        return self.points[self.labels == label] * np.asarray(spacing, np.float64)


def _score(
    targets: _Outlines,
    predictions: _Outlines,
    label: int,
    tolerance: float,
    spacing: tuple[float, float],
    diagonal: float,
) -> BoundaryScore:
    where = [outlines for outlines in (targets, predictions) if label in outlines.present]
    if not where:
        return BoundaryScore(math.nan, math.nan)
    target, predicted = targets.get_points(label, spacing), predictions.get_points(label, spacing)
    if len(where) == 2 and not len(target) and not len(predicted):
        return BoundaryScore(1.0, 0.0)
    if len(where) < 2 or not len(target) or not len(predicted):
        return BoundaryScore(0.0, diagonal)
    there, back = _measure_distances(target, predicted), _measure_distances(predicted, target)
    close = int(np.count_nonzero(there <= tolerance) + np.count_nonzero(back <= tolerance))
    far = max(float(np.percentile(distances, 95)) for distances in (there, back))
    return BoundaryScore(close / (len(target) + len(predicted)), far)


def _measure_distances(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Measure (points,) float64 distances to the nearest of `others`.

    Pixels need no balanced tree, which takes longer.
    """
    return cKDTree(others, balanced_tree=False, compact_nodes=False).query(points)[0]
