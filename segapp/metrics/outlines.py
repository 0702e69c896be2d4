"""The boundaries of classes in two masks, and the distances between them: what boundary scores are computed from.

The boundary of a class is its pixels with a neighbour above, below, left or right that is another class. The frame of
the image and ignored pixels hide where an object ends: a pixel is no boundary because of them.
"""

import math
from enum import Enum
from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from segapp.batch import IGNORE_INDEX
from segapp.errors import SegappError


class Presence(Enum):
    """Where a class and its boundary occur."""

    NEITHER = "the class is in neither mask"
    FULL = "both masks have the class, and neither a boundary, as each fills all pixels that are not ignored"
    ONE = "one mask only has the class, or one only has a boundary"
    BOTH = "both masks have a boundary"


class BoundaryDistances(NamedTuple):
    """The distances between the two boundaries of one class."""

    presence: Presence
    from_target: np.ndarray
    """(T,) float64: from every pixel of the target's boundary to the nearest of the prediction's; empty unless BOTH."""
    from_prediction: np.ndarray
    """(P,) float64: the reverse."""
    diagonal: float
    """Of the image: no two pixels are further apart."""


EMPTY = np.zeros(0)


def measure_boundaries(
    prediction: np.ndarray, mask: np.ndarray, num_classes: int, spacing: tuple[float, float] = (1.0, 1.0)
) -> list[BoundaryDistances]:
    """Measure the distances between the boundaries of every class of one image, exact between pixel centres.

    Args:
        prediction: (H, W) class indices.
        mask: (H, W) true class indices; pixels of 255 count as neither, whatever was predicted there.
        num_classes: K.
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
    return [_measure(targets, predictions, label, spacing, diagonal) for label in range(num_classes)]


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


def _measure(
    targets: _Outlines, predictions: _Outlines, label: int, spacing: tuple[float, float], diagonal: float
) -> BoundaryDistances:
    where = sum(label in outlines.present for outlines in (targets, predictions))
    if not where:
        return BoundaryDistances(Presence.NEITHER, EMPTY, EMPTY, diagonal)
    target, predicted = targets.get_points(label, spacing), predictions.get_points(label, spacing)
    if where == 2 and not len(target) and not len(predicted):
        return BoundaryDistances(Presence.FULL, EMPTY, EMPTY, diagonal)
    if where < 2 or not len(target) or not len(predicted):
        return BoundaryDistances(Presence.ONE, EMPTY, EMPTY, diagonal)
    there, back = _measure_distances(target, predicted), _measure_distances(predicted, target)
    return BoundaryDistances(Presence.BOTH, there, back, diagonal)


def _measure_distances(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Measure (points,) float64 distances to the nearest of `others`.

    Pixels need no balanced tree, which takes longer.
    """
    return cKDTree(others, balanced_tree=False, compact_nodes=False).query(points)[0]
