"""Dice and IoU from true positives, false positives and false negatives.

A class absent from both prediction and target has no score (NaN) and is left out of every mean; a class absent from
the target but predicted scores 0.
"""

from torch import Tensor

from segapp.metrics.counts import split_confusion
from segapp.metrics.score import Comparison, Score, Value, average_over_classes


def compute_dice(tp: Tensor, fp: Tensor, fn: Tensor) -> Tensor:
    """Compute 2 TP / (2 TP + FP + FN); float64, NaN where the class is absent from both (Dice 1945)."""
    return 2 * tp.double() / (2 * tp + fp + fn)


def compute_iou(tp: Tensor, fp: Tensor, fn: Tensor) -> Tensor:
    """Compute TP / (TP + FP + FN); float64, NaN where the class is absent from both (Jaccard 1912)."""
    return tp.double() / (tp + fp + fn)


RATES = {"dice": compute_dice, "iou": compute_iou}
"""Scores computed from tp, fp and fn: a new one is a function and one line here."""


class Overlap(Score):
    """Dice and IoU, over the pixels of the data set and per image.

    `dice/dataset`: counts summed over the set, then per class, then the mean over classes (the mIoU of VOC,
    Cityscapes for `iou/dataset`). `dice/image`: as in every score.
    """

    columns = ("tp", "fp", "fn")

    def update(self, comparison: Comparison) -> Tensor:
        """Return (3, K) int64: true positives, false positives and false negatives per class."""
        return split_confusion(comparison.confusion)

    def measure(self, rows: Tensor) -> dict[str, Tensor]:
        """Return Dice and IoU of every image and class, (I, K) float64."""
        counts = rows.long().unbind(1)
        return {name: rate(*counts) for name, rate in RATES.items()}

    def reduce(self, rows: Tensor) -> dict[str, Value]:
        """Return `<measure>/dataset` and `<measure>/image` of Dice and IoU."""
        values, per_image = {}, super().reduce(rows)
        total = rows.long().sum(0)
        for name, rate in RATES.items():
            per_class = rate(*total)
            mean = float(average_over_classes(per_class, self.background))
            values[f"{name}/dataset"] = Value(mean, tuple(per_class.tolist()))
            values[f"{name}/image"] = per_image[f"{name}/image"]
        return values
