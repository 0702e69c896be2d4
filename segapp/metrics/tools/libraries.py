"""The rules of torchmetrics, segmentation-models-pytorch and scikit-learn."""

from collections.abc import Iterator

import torch
from torch import Tensor

from segapp.metrics.overlap import compute_dice, compute_iou
from segapp.metrics.score import Value, average_over_classes
from segapp.metrics.tools.set_counts import SetCounts
from segapp.metrics.tools.tool import (
    Tool,
    ToolScores,
    count_absences,
    count_false_alarms,
    format_times,
    name_absent,
    name_unused,
)


class TorchMetrics(Tool):
    """`MeanIoU` and `DiceScore` of torchmetrics.segmentation: per image and class."""

    title = "torchmetrics 1.9, segmentation.MeanIoU and DiceScore with their defaults"
    source = "github.com/Lightning-AI/torchmetrics, src/torchmetrics/segmentation/mean_iou.py, dice.py"
    ignores = False
    skips_background = True

    def reduce(self, counts: SetCounts) -> ToolScores:
        """Return the mean over all pairs of image and class (MeanIoU), and over images (DiceScore)."""
        dice, iou = (rate(*counts.counts.unbind(1)) for rate in (compute_dice, compute_iou))
        if counts.background is not None:
            dice[:, counts.background] = iou[:, counts.background] = torch.nan
        per_class = iou.nanmean(0).nan_to_num(-1.0)
        if counts.background is not None:
            per_class[counts.background] = torch.nan
        values = {
            "MeanIoU": Value(float(iou.nanmean()), tuple(per_class.tolist())),
            "DiceScore": Value(float(dice.nanmean(1).nanmean()), tuple(dice.nanmean(0).tolist())),
        }
        return ToolScores(values, {"MeanIoU": iou, "DiceScore": dice})

    def explain_rules(self, counts: SetCounts) -> Iterator[str]:
        """Yield what empty masks did, and what MeanIoU is not."""
        scored = counts.foreground
        yield "MeanIoU is the mean over all pairs of image and class, not the mIoU of papers (iou/dataset)."
        if alarms := count_false_alarms(counts, scored):
            yield f"{format_times(alarms)} a class was predicted in an image without it: that counts as 0."
        if absences := count_absences(counts, scored):
            yield f"{format_times(absences)} a class was in neither mask of an image: that is left out."
        if never := name_unused(counts, scored):
            yield f"{never}: in no mask of the set; MeanIoU says -1 for it."


class Smp(Tool):
    """`iou_score` and `f1_score` of segmentation_models_pytorch in their six reductions."""

    title = "segmentation-models-pytorch 0.6, iou_score and f1_score"
    source = "github.com/qubvel-org/segmentation_models.pytorch, segmentation_models_pytorch/metrics/functional.py"

    def reduce(self, counts: SetCounts) -> ToolScores:
        """Return both scores; 0 / 0 is 1. Classes are weighted by their target pixels."""
        values, images = {}, {}
        pixels = counts.target.sum(0).double()
        weights = pixels / pixels.sum()
        for name, rate in (("iou_score", compute_iou), ("f1_score", compute_dice)):
            total, each = rate(*counts.total).nan_to_num(1.0), rate(*counts.counts.unbind(1)).nan_to_num(1.0)
            of_image = rate(*counts.counts.sum(2).unbind(1)).nan_to_num(1.0)
            values[f"{name}/micro"] = Value(float(rate(*counts.total.sum(1))))
            values[f"{name}/macro"] = Value(float(total.mean()), tuple(total.tolist()))
            values[f"{name}/weighted"] = Value(float((total * weights).sum()))
            values[f"{name}/micro-imagewise"] = Value(float(of_image.mean()))
            values[f"{name}/macro-imagewise"] = Value(float(each.mean()), tuple(each.mean(0).tolist()))
            values[f"{name}/weighted-imagewise"] = Value(float((each.mean(0) * weights).mean()))
            images[name] = each
        return ToolScores(values, images)

    def explain_rules(self, counts: SetCounts) -> Iterator[str]:
        """Yield what absent classes did, and what the reductions are."""
        everything = list(range(len(counts.classes)))
        if absences := count_absences(counts, everything):
            yield (
                f"{format_times(absences)} a class was in neither mask of an image: that counts as 1 in "
                "macro-imagewise and weighted-imagewise (zero_division=1.0); segapp leaves it out."
            )
        if alarms := count_false_alarms(counts, everything):
            yield f"{format_times(alarms)} a class was predicted in an image without it: that counts as 0."
        yield (
            f"weighted-imagewise divides by the number of classes once more: a perfect prediction scores "
            f"{1 / len(counts.classes):.4f}."
        )
        yield "Its notebooks report micro reductions, in which large classes decide, and count ignored pixels."


class SciKitLearn(Tool):
    """`jaccard_score`, `f1_score` and `accuracy_score` of all pixels in one array."""

    title = "scikit-learn, jaccard_score, f1_score and accuracy_score of all pixels"
    source = "github.com/scikit-learn/scikit-learn, sklearn/metrics/_classification.py"

    def reduce(self, counts: SetCounts) -> ToolScores:
        """Return the three averages; classes are those that occur in the set."""
        total, values = counts.total, {}
        weights = total[0] + total[2]
        for name, rate in (("jaccard_score", compute_iou), ("f1_score", compute_dice)):
            scores = rate(*total)
            values[f"{name}/macro"] = Value(float(average_over_classes(scores, None)), tuple(scores.tolist()))
            values[f"{name}/micro"] = Value(float(rate(*total.sum(1))))
            values[f"{name}/weighted"] = Value(float((scores.nan_to_num() * weights).sum() / weights.sum()))
        return ToolScores(values | {"accuracy_score": Value(compute_pixel_accuracy(total))})

    def explain_rules(self, counts: SetCounts) -> Iterator[str]:
        """Yield what absent classes did."""
        everything = list(range(len(counts.classes)))
        yield "All pixels of the set are one array: large images count more than small ones."
        never = [i for i in everything if not counts.target[:, i].any() and not counts.predicted[:, i].any()]
        if never:
            names = ", ".join(counts.classes[i] for i in never)
            yield f"{names}: in no mask of the set and left out; with `labels=` it would count as 0 in macro."
        predicted = [i for i in everything if i not in never]
        if absent := name_absent(counts, predicted):
            yield f"{absent}: predicted but in no target, which counts as 0 in macro and nothing in weighted."


def compute_pixel_accuracy(total: Tensor) -> float:
    """Compute the fraction of right pixels from the counts (3, K) of a set; NaN without pixels."""
    return float(total[0].sum().double() / (total[0] + total[2]).sum())
