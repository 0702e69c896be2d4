"""Scores of classes and of complete label maps from true and false positives and negatives.

A class in neither target nor prediction has no score (NaN), as in `overlap`. The rules for other empty masks are in the
docstring of each score.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from segapp.metrics.counts import split_confusion
from segapp.metrics.overlap import RATES as OVERLAP_RATES
from segapp.metrics.score import Comparison, Score, Value, average_over_classes

Rate = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def compute_precision(tp: Tensor, fp: Tensor, fn: Tensor, tn: Tensor) -> Tensor:
    """Compute TP / (TP + FP), the positive predictive value; NaN where the class was not predicted."""
    return tp.double() / (tp + fp)


def compute_recall(tp: Tensor, fp: Tensor, fn: Tensor, tn: Tensor) -> Tensor:
    """Compute TP / (TP + FN), the sensitivity; NaN where the class is not in the target."""
    return tp.double() / (tp + fn)


def compute_specificity(tp: Tensor, fp: Tensor, fn: Tensor, tn: Tensor) -> Tensor:
    """Compute TN / (TN + FP); NaN where every pixel of the target is of the class."""
    return _require_presence(tn.double() / (tn + fp), tp, fp, fn)


def compute_accuracy(tp: Tensor, fp: Tensor, fn: Tensor, tn: Tensor) -> Tensor:
    """Compute (TP + TN) / (TP + FP + FN + TN), of one class against the rest."""
    return _require_presence((tp + tn).double() / (tp + fp + fn + tn), tp, fp, fn)


def compute_mcc(tp: Tensor, fp: Tensor, fn: Tensor, tn: Tensor) -> Tensor:
    """Compute the correlation of target and prediction (Matthews 1975), of one class against the rest.

    Where either mask is empty or full, 0 / 0 is 1 if the masks are equal and 0 if not (Chicco and Jurman 2020).
    """
    tp, fp, fn, tn = (count.double() for count in (tp, fp, fn, tn))
    scale = ((tp + fp) * (tp + fn)).sqrt() * ((tn + fp) * (tn + fn)).sqrt()
    return _require_presence(_divide(tp * tn - fp * fn, scale, equal=fp + fn == 0), tp, fp, fn)


def compute_kappa(tp: Tensor, fp: Tensor, fn: Tensor, tn: Tensor) -> Tensor:
    """Compute the agreement beyond that by chance (Cohen 1960), of one class against the rest.

    Where both masks are full, 0 / 0 is 1.
    """
    tp, fp, fn, tn = (count.double() for count in (tp, fp, fn, tn))
    scale = (tp + fp) * (fp + tn) + (tp + fn) * (fn + tn)
    return _require_presence(_divide(2 * (tp * tn - fp * fn), scale, equal=fp + fn == 0), tp, fp, fn)


def compute_volume_similarity(tp: Tensor, fp: Tensor, fn: Tensor, tn: Tensor) -> Tensor:
    """Compute 1 - |FP - FN| / (2 TP + FP + FN), which compares areas, not their places (Taha and Hanbury 2015)."""
    return 1 - (fp - fn).abs().double() / (2 * tp + fp + fn)


def compute_area_error(tp: Tensor, fp: Tensor, fn: Tensor, tn: Tensor) -> Tensor:
    """Compute |FP - FN| / (TP + FN), the relative error of the area; NaN where the class is not in the target."""
    return torch.where(tp + fn > 0, (fp - fn).abs().double() / (tp + fn), torch.nan)


RATES: dict[str, Rate] = {
    "precision": compute_precision,
    "recall": compute_recall,
    "specificity": compute_specificity,
    "accuracy": compute_accuracy,
    "mcc": compute_mcc,
    "kappa": compute_kappa,
    "volume_similarity": compute_volume_similarity,
    "area_error": compute_area_error,
}
"""Scores computed from tp, fp, fn and tn: a new one is a function and one line here."""


def _accept_negatives(rate: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Rate:
    """Return a rate that is given the true negatives too and does not use them."""
    return lambda tp, fp, fn, tn: rate(tp, fp, fn)


ALL_RATES: dict[str, Rate] = {name: _accept_negatives(rate) for name, rate in OVERLAP_RATES.items()} | RATES

MICRO = ("dice", "iou", "precision", "recall", "specificity")
"""Scores with a mean over pixels. Those of all classes together are `overall`; areas have none, since sums of FP and FN
are equal."""


class Agreement(Score):
    """Precision, recall and further scores of every class, and further means of these and of Dice and IoU.

    `<score>/dataset` and `<score>/image` are as in `Overlap`. `<score>/micro`: counts summed over images and classes.
    `<score>/weighted`: the mean over classes weighted by their target pixels. `<mean>_all`: with the background.
    `<score>/overall`: of the complete confusion matrix.
    """

    columns = ("tp", "fp", "fn", "tn")
    lower_is_better = ("area_error",)
    in_brief = False

    def update(self, comparison: Comparison) -> Tensor:
        """Return (4, K) int64: true and false positives, false and true negatives per class."""
        counts = split_confusion(comparison.confusion)
        return torch.cat([counts, comparison.confusion.sum() - counts.sum(0, keepdim=True)])

    def measure(self, rows: Tensor) -> dict[str, Tensor]:
        """Return the scores of every image and class, (I, K) float64."""
        counts = rows.long().unbind(1)
        return {name: rate(*counts) for name, rate in RATES.items()}

    def reduce(self, rows: Tensor) -> dict[str, Value]:
        """Return the means over images, over the data set, over pixels and weighted, and `overall`."""
        images, total = rows.long(), rows.long().sum(0)
        values: dict[str, Value] = {}
        for name, rate in ALL_RATES.items():
            per_image, per_class = rate(*images.unbind(1)), rate(*total)
            if name in RATES:
                mean = float(average_over_classes(per_class, self.background))
                values[f"{name}/dataset"] = Value(mean, tuple(per_class.tolist()))
                values[f"{name}/image"] = self._average_images(per_image)
            values |= self._average(name, total, per_class, self.background, "")
            if self.background is not None:
                values[f"{name}/dataset_all"] = Value(float(average_over_classes(per_class, None)))
                values[f"{name}/image_all"] = Value(float(average_over_classes(per_image, None).nanmean()))
                values |= self._average(name, total, per_class, None, "_all")
        return values | {f"{name}/overall": Value(value) for name, value in compute_overall(total[:3]).items()}

    def _average(
        self, name: str, total: Tensor, per_class: Tensor, background: int | None, ending: str
    ) -> dict[str, Value]:
        """Return the mean over pixels, where the score has one, and the weighted mean over classes."""
        counted = [index for index in range(total.shape[1]) if index != background]
        counts, scores = total[:, counted], per_class[counted]
        values = {}
        if name in MICRO:
            values[f"{name}/micro{ending}"] = Value(float(ALL_RATES[name](*counts.sum(1))))
        weights = torch.where(scores.isnan(), 0, counts[0] + counts[2])
        values[f"{name}/weighted{ending}"] = Value(float((weights * scores.nan_to_num()).sum() / weights.sum()))
        return values


def compute_overall(counts: Tensor) -> dict[str, float]:
    """Compute accuracy, MCC and kappa of all classes together from (3, K) int64 counts; NaN where no pixel is counted.

    They are scikit-learn's `accuracy_score`, `matthews_corrcoef` (Gorodkin 2004) and `cohen_kappa_score`, but for
    0 / 0: equal label maps of one class score 1.
    """
    tp, fp, fn = counts.double()
    target, predicted = tp + fn, tp + fp
    hits, pixels, chance = tp.sum(), target.sum(), (target * predicted).sum()
    scale = (pixels**2 - (target**2).sum()).sqrt() * (pixels**2 - (predicted**2).sum()).sqrt()
    agreement, equal = hits * pixels - chance, hits == pixels
    values = {
        "accuracy": hits / pixels,
        "mcc": _divide(agreement, scale, equal),
        "kappa": _divide(agreement, pixels**2 - chance, equal),
    }
    return {name: float(value) if pixels else torch.nan for name, value in values.items()}


def _divide(above: Tensor, below: Tensor, equal: Tensor) -> Tensor:
    """Divide, and give 1 or 0 for 0 / 0 where two masks are equal or not."""
    return torch.where(below > 0, above / below, equal.double())


def _require_presence(values: Tensor, tp: Tensor, fp: Tensor, fn: Tensor) -> Tensor:
    """Return the values, NaN where a class is in neither target nor prediction."""
    return torch.where(tp + fp + fn > 0, values, torch.nan)
