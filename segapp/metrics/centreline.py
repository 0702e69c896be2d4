"""Centreline Dice: whether a class of thin tubes, such as vessels, roads or cracks, is connected as in the target.

Shit et al. 2021, "clDice": the harmonic mean of which part of the prediction's skeleton lies in the target (precision)
and which part of the target's skeleton lies in the prediction (sensitivity). Skeletons are one pixel wide (Zhang and
Suen 1984, by scikit-image); pixels that are ignored in the target count in neither. A class in neither mask has no
score (NaN); in one of them only 0.
"""

import math
from importlib.util import find_spec

import numpy as np
from torch import Tensor, float64, tensor

from segapp.batch import IGNORE_INDEX
from segapp.errors import MisuseError
from segapp.metrics.score import Comparison, Score


class CentrelineDice(Score):
    """Centreline Dice of every class; of thick classes it says little, and it takes time."""

    columns = ("cldice",)
    in_brief = False

    def update(self, comparison: Comparison) -> Tensor:
        """Return (1, K) float64; NaN where the class is in neither mask."""
        prediction, target = comparison.arrays
        known = target != IGNORE_INDEX
        pairs = [(prediction == label, target == label) for label in range(comparison.num_classes)]
        return tensor([[score_centrelines(*pair, known) for pair in pairs]], dtype=float64)


def score_centrelines(prediction: np.ndarray, target: np.ndarray, known: np.ndarray) -> float:
    """Score the centreline Dice of one class.

    Args:
        prediction: (H, W) bool.
        target: (H, W) bool.
        known: (H, W) bool: the pixels that count.
    """
    if not (prediction & known).any() and not target.any():
        return math.nan
    from skimage.morphology import skeletonize  # takes a second

    of_prediction, of_target = skeletonize(prediction) & known, skeletonize(target) & known
    found, wanted = int(of_prediction.sum()), int(of_target.sum())
    inside, covered = int((of_prediction & target).sum()), int((of_target & prediction).sum())
    if not inside or not covered:
        return 0.0
    precision, sensitivity = inside / found, covered / wanted
    return 2 * precision * sensitivity / (precision + sensitivity)


def require_skeletons() -> None:
    """Raise MisuseError where scikit-image is not installed."""
    if find_spec("skimage") is None:
        raise MisuseError("--cldice needs scikit-image, which is not installed: pip install 'segapp[tubes]'.")
