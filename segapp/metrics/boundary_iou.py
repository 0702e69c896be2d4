"""Boundary IoU: the IoU of the parts of two masks that are near their boundaries.

Cheng et al. 2021, "Boundary IoU". As in `outlines`, the frame of the image and ignored pixels are no boundary; theirs
counts the frame. A class in neither mask has no score (NaN); in one only 0. Where neither mask has a boundary, as each
fills all pixels that are not ignored, the score is 1.
"""

import math

import numpy as np
from scipy.ndimage import find_objects, minimum_filter
from torch import Tensor, float64, tensor

from segapp.batch import IGNORE_INDEX
from segapp.metrics.score import Comparison, Score

WIDTH = 0.02
"""Of the diagonal of the image: how far from the boundary a pixel of the mask counts."""


class BoundaryIoU(Score):
    """Boundary IoU of every class, within 2 % of the diagonal of the image."""

    columns = ("boundary_iou",)
    in_brief = False

    def update(self, comparison: Comparison) -> Tensor:
        """Return (1, K) float64; NaN where the class is in neither mask."""
        prediction, target = comparison.prediction.cpu().numpy(), comparison.target.cpu().numpy()
        width = compute_width(target.shape)
        known = target != IGNORE_INDEX
        counts = comparison.confusion
        scores = [
            _score((prediction == label) & known, (target == label) & known, known, width) if found else math.nan
            for label, found in enumerate((counts.sum(0) + counts.sum(1)).tolist())
        ]
        return tensor([scores], dtype=float64)


def compute_width(shape: tuple[int, ...]) -> int:
    """Return the width in pixels of what counts as near a boundary, 1 or more."""
    return max(1, round(WIDTH * math.hypot(*shape)))


def _score(predicted: np.ndarray, target: np.ndarray, known: np.ndarray, width: int) -> float:
    near = [find_band(mask, known, width) for mask in (predicted, target)]
    union = int((near[0] | near[1]).sum())
    return int((near[0] & near[1]).sum()) / union if union else float(predicted.any() and target.any())


def find_band(mask: np.ndarray, known: np.ndarray, width: int) -> np.ndarray:
    """Return (H, W) bool: the pixels of a mask within `width` of a known pixel outside it, diagonals counted as 1."""
    found = find_objects(mask.astype(np.uint8))
    band = np.zeros_like(mask)
    if found:
        part = tuple(slice(max(0, one.start - width), one.stop + width) for one in found[0])
        inside = minimum_filter((mask | ~known)[part].view(np.uint8), 2 * width + 1, mode="constant", cval=1)
        band[part] = mask[part] & (inside == 0)
    return band
