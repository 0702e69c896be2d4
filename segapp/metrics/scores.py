"""Scores as functions of true positives, false positives and false negatives.

A class absent from both prediction and truth has no score (NaN) and is left out of every mean; a class absent from
the truth but predicted scores 0.
"""

from collections.abc import Callable

from torch import Tensor

Score = Callable[[Tensor, Tensor, Tensor], Tensor]


def compute_dice(tp: Tensor, fp: Tensor, fn: Tensor) -> Tensor:
    """Compute 2 TP / (2 TP + FP + FN); float64, NaN where the class is absent from both (Dice 1945)."""
    return 2 * tp.double() / (2 * tp + fp + fn)


def compute_iou(tp: Tensor, fp: Tensor, fn: Tensor) -> Tensor:
    """Compute TP / (TP + FP + FN); float64, NaN where the class is absent from both (Jaccard 1912)."""
    return tp.double() / (tp + fp + fn)


def mean_over_classes(values: Tensor, background: int | None) -> Tensor:
    """Return the mean of (…, K) scores over the classes that have one, the background left out; NaN where none has.

    Of one image this is *the* score of the image, and `<score>/image` is its mean over images: the one definition that
    metrics.json, per_image.csv and the tables of `segapp compare` and `study` share.
    """
    counted = [index for index in range(values.shape[-1]) if index != background]
    return values[..., counted].nanmean(-1)


SCORES: dict[str, Score] = {"dice": compute_dice, "iou": compute_iou}
"""What is computed and reported: a new score is a function of the counts and one line here."""
