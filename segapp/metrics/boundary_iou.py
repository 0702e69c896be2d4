"""Boundary IoU: the IoU of the parts of two masks that are near their boundaries.

Cheng et al. 2021, "Boundary IoU". As in `outlines`, the frame of the image and ignored pixels are no boundary; theirs
counts the frame. A class in neither mask has no score (NaN); in one only 0. Where neither mask has a boundary, as each
fills all pixels that are not ignored, the score is 1.
"""

import math

import numpy as np
from torch import Tensor, from_numpy, nan, where

from segapp.batch import IGNORE_INDEX
from segapp.metrics.counts import count_pairs
from segapp.metrics.score import Comparison, Score

WIDTH = 0.02
"""Of the diagonal of the image: how far from the boundary a pixel of the mask counts."""


class BoundaryIoU(Score):
    """Boundary IoU of every class, within 2 % of the diagonal of the image."""

    columns = ("boundary_iou",)
    in_brief = False

    def update(self, comparison: Comparison) -> Tensor:
        """Return (1, K) float64; NaN where the class is in neither mask."""
        prediction, target = comparison.arrays
        known, width = target != IGNORE_INDEX, compute_width(target.shape)
        near = [from_numpy(find_bands(indices, known, width)) for indices in (target, prediction)]
        counts, classes = count_pairs(*near), comparison.num_classes
        both = counts.diagonal()[:classes]
        union = (counts.sum(0) + counts.sum(1))[:classes] - both
        expected, found = comparison.confusion.sum(1) > 0, comparison.confusion.sum(0) > 0
        scores = where(union > 0, both.double() / union, (expected & found).double())
        return where(expected | found, scores, nan)[None]


def compute_width(shape: tuple[int, ...]) -> int:
    """Return the width in pixels of what counts as near a boundary, 1 or more."""
    return max(1, round(WIDTH * math.hypot(*shape)))


def find_bands(indices: np.ndarray, known: np.ndarray, width: int) -> np.ndarray:
    """Return (H, W) uint8: the class of known pixels that have a known pixel of another within `width`, else 255.

    Diagonals count as 1, so the pixels within `width` are a square: another class is in it where its largest and its
    smallest index differ. One pass finds the bands of all classes.
    """
    complete = bool(known.all())
    largest = _slide(indices if complete else np.where(known, indices, np.uint8(0)), width, np.maximum, 0)
    smallest = _slide(indices if complete else np.where(known, indices, np.uint8(255)), width, np.minimum, 255)
    far = largest == smallest
    if not complete:
        far |= ~known
    return indices | -far.view(np.uint8)  # 255 where far


def _slide(values: np.ndarray, width: int, choose: np.ufunc, neutral: int) -> np.ndarray:
    """Return the largest or smallest value of every square, (H, W) uint8; `neutral` loses against every value.

    Squares grow by doubling, first in height, then in width: ten passes for a width of 29.
    """
    height, size, stride = len(values), 2 * width + 1, values.shape[1] + 2 * width
    framed = np.full((height + 2 * width, stride), neutral, np.uint8)
    framed[width:-width, width:-width] = values
    now, after = framed.ravel(), np.empty(framed.size, np.uint8)
    end = framed.size
    for pixel in (stride, 1):
        reached = 1
        while reached < size:
            step = min(reached, size - reached)
            end -= step * pixel
            choose(now[:end], now[step * pixel : end + step * pixel], out=after[:end])
            now, after, reached = after, now, reached + step
    return now[: height * stride].reshape(height, stride)[:, : values.shape[1]]
