"""The rules of nnU-Net and MONAI, which score every image by itself."""

from collections.abc import Iterator

import torch

from segapp.metrics.overlap import compute_dice, compute_iou
from segapp.metrics.score import Value
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

RATES = {"Dice": compute_dice, "IoU": compute_iou}


class NnUNet(Tool):
    """`nnUNetv2_evaluate_folder`: per case and class, the mean over cases, then the mean over the foreground."""

    title = "nnU-Net 2, evaluate_predictions (foreground_mean)"
    source = "github.com/MIC-DKFZ/nnUNet, nnunetv2/evaluation/evaluate_predictions.py"
    skips_background = True

    def reduce(self, counts: SetCounts) -> ToolScores:
        """Return Dice and IoU; the mean is NaN where a class of the foreground is in no mask of the set."""
        values, images, scored = {}, {}, self._list_labels(counts)
        for name, rate in RATES.items():
            each = rate(*counts.counts.unbind(1))
            each[:, [index for index in range(len(counts.classes)) if index not in scored]] = torch.nan
            per_class = each.nanmean(0)
            values[name] = Value(float(per_class[scored].mean()), tuple(per_class.tolist()))
            images[name] = each
        return ToolScores(values, images)

    def explain_rules(self, counts: SetCounts) -> Iterator[str]:
        """Yield what empty masks did."""
        scored = self._list_labels(counts)
        if counts.background is None:
            yield f"{counts.classes[0]} is left out: label 0 is always the background."
        if alarms := count_false_alarms(counts, scored):
            yield f"{format_times(alarms)} a class was predicted in an image without it: that counts as 0."
        if absences := count_absences(counts, scored):
            yield f"{format_times(absences)} a class was in neither mask of an image: that is left out."
        if never := name_unused(counts, scored):
            yield f"{never}: in no mask of the set, so that the mean is NaN."
        yield 'The training log of nnU-Net shows another quantity ("pseudo Dice"), from patches.'

    @staticmethod
    def _list_labels(counts: SetCounts) -> list[int]:
        return counts.foreground if counts.background is not None else list(range(1, len(counts.classes)))


class Monai(Tool):
    """`DiceMetric` and `MeanIoU` with `ignore_empty=True`: an image without a class has no score for it."""

    title = "MONAI, DiceMetric and MeanIoU with their defaults"
    source = "github.com/Project-MONAI/MONAI, monai/metrics/meandice.py, meaniou.py, utils.py"
    ignores = False
    skips_background = True

    def reduce(self, counts: SetCounts) -> ToolScores:
        """Return Dice and IoU; 0 where nothing is scored."""
        values, images = {}, {}
        for name, rate in RATES.items():
            each = torch.where(counts.target > 0, rate(*counts.counts.unbind(1)), torch.nan)
            if counts.background is not None:
                each[:, counts.background] = torch.nan
            per_class = each.nanmean(0).nan_to_num()
            if counts.background is not None:
                per_class[counts.background] = torch.nan
            values[name] = Value(float(each.nanmean(1).nanmean().nan_to_num()), tuple(per_class.tolist()))
            images[name] = each
        return ToolScores(values, images)

    def explain_rules(self, counts: SetCounts) -> Iterator[str]:
        """Yield what empty targets did."""
        scored = counts.foreground
        if alarms := count_false_alarms(counts, scored):
            yield (
                f"{format_times(alarms)} a class was predicted in an image without it: that is left out, so that such "
                "false positives cost nothing; segapp and nnU-Net count 0."
            )
        if empty := int((counts.target[:, scored] == 0).all(1).sum()):
            yield f"{empty:,} images without any class of the mean are left out."
        if absent := name_absent(counts, scored):
            yield f"{absent}: in no target, so that its own score reads 0; the mean leaves it out."
