"""Integer counts, and every score derived from them."""

from segapp.metrics.accumulate import SegmentationScores
from segapp.metrics.counts import confusion, true_false_positives_negatives
from segapp.metrics.scores import SCORES, dice, iou

__all__ = ["SCORES", "SegmentationScores", "confusion", "dice", "iou", "true_false_positives_negatives"]
