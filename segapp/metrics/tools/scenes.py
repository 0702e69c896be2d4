"""The rules of mmsegmentation, Cityscapes, TorchGeo and SegNet's CamVid script: one confusion matrix of the set."""

from collections.abc import Iterator

import torch

from segapp.metrics.overlap import compute_dice, compute_iou
from segapp.metrics.score import Value, average_over_classes
from segapp.metrics.tools.libraries import compute_pixel_accuracy
from segapp.metrics.tools.set_counts import SetCounts
from segapp.metrics.tools.tool import Tool, ToolScores, name_absent


class MmSegmentation(Tool):
    """`IoUMetric` of mmsegmentation with all its metrics, as fractions."""

    title = "mmsegmentation 1, IoUMetric"
    source = "github.com/open-mmlab/mmsegmentation, mmseg/evaluation/metrics/iou_metric.py"

    def reduce(self, counts: SetCounts) -> ToolScores:
        """Return IoU, Dice and accuracy of every class, their means, and the accuracy of all pixels."""
        total = counts.total
        scores = {
            "mIoU": compute_iou(*total),
            "mDice": compute_dice(*total),
            "mAcc": total[0].double() / (total[0] + total[2]),
        }
        values = {
            name: Value(float(average_over_classes(each, None)), tuple(each.tolist())) for name, each in scores.items()
        }
        return ToolScores({"aAcc": Value(compute_pixel_accuracy(total))} | values)

    def explain_rules(self, counts: SetCounts) -> Iterator[str]:
        """Yield what absent classes did."""
        yield from _explain_absent(counts)
        yield "mmsegmentation prints percents with two decimals; the mean of `mAcc` is that of recall."


class Cityscapes(Tool):
    """`evalPixelLevelSemanticLabeling.py` of Cityscapes: the mean IoU over classes, without instance weights."""

    title = "Cityscapes, evalPixelLevelSemanticLabeling.py (IoU of classes)"
    source = "github.com/mcordts/cityscapesScripts, cityscapesscripts/evaluation/evalPixelLevelSemanticLabeling.py"

    def reduce(self, counts: SetCounts) -> ToolScores:
        """Return the IoU of every class and their mean; NaN is left out."""
        each = compute_iou(*counts.total)
        return ToolScores({"IoU Classes": Value(float(average_over_classes(each, None)), tuple(each.tolist()))})

    def explain_rules(self, counts: SetCounts) -> Iterator[str]:
        """Yield what absent classes did."""
        yield from _explain_absent(counts)
        yield "iIoU and the IoU of categories need instances and groups of classes, which masks of classes do not have."


class TorchGeo(Tool):
    """The metrics of TorchGeo's `SemanticSegmentationTask`: `micro` averages."""

    title = "TorchGeo, SemanticSegmentationTask (MulticlassAccuracy and MulticlassJaccardIndex, average='micro')"
    source = "github.com/microsoft/torchgeo, torchgeo/trainers/segmentation.py"

    def reduce(self, counts: SetCounts) -> ToolScores:
        """Return accuracy and Jaccard index of all pixels; 0 without pixels."""
        total = counts.total
        return ToolScores(
            {
                "MulticlassAccuracy": Value(compute_pixel_accuracy(total)),
                "MulticlassJaccardIndex": Value(float(compute_iou(*total.sum(1)))),
            }
        )

    def explain_rules(self, counts: SetCounts) -> Iterator[str]:
        """Yield what micro means."""
        macro = float(average_over_classes(compute_iou(*counts.total), None))
        yield (
            "Its Jaccard index is over pixels of all classes, in which large classes decide; it is not a mean over "
            f"classes, although published as mIoU. The mean over classes would be {macro:.4f}."
        )


class CamVid(Tool):
    """`compute_test_results.m` of SegNet, with which results on CamVid were published."""

    title = "SegNet's script for CamVid, compute_test_results.m"
    source = "github.com/alexgkendall/SegNet-Tutorial, Scripts/compute_test_results.m"

    def reduce(self, counts: SetCounts) -> ToolScores:
        """Return IoU and accuracy of every class, 0 where it is in no target, and means that divide by all classes."""
        total = counts.total
        target = total[0] + total[2]
        iou = torch.where(target > 0, compute_iou(*total), 0.0)
        accuracy = torch.where(target > 0, total[0].double() / target, 0.0)
        return ToolScores(
            {
                "Global acc": Value(compute_pixel_accuracy(total)),
                "Class average acc": Value(float(accuracy.mean()), tuple(accuracy.tolist())),
                "Mean Int over Union": Value(float(iou.mean()), tuple(iou.tolist())),
            }
        )

    def explain_rules(self, counts: SetCounts) -> Iterator[str]:
        """Yield what absent classes did."""
        if absent := name_absent(counts, list(range(len(counts.classes)))):
            yield (
                f"{absent}: in no target, which counts as 0, and the mean is divided by all {len(counts.classes)} "
                "classes; other tools leave out a class that is in no mask."
            )


def _explain_absent(counts: SetCounts) -> Iterator[str]:
    """Yield how tools that drop NaN treated classes which no target has."""
    never: list[str] = []
    alarms: list[str] = []
    for index, name in enumerate(counts.classes):
        if not counts.target[:, index].any():
            (alarms if counts.predicted[:, index].any() else never).append(name)
    if never:
        yield f"{', '.join(never)}: in no mask of the set, and left out."
    if alarms:
        yield f"{', '.join(alarms)}: predicted but in no target, which counts as 0."
