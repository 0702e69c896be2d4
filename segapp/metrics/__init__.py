"""Integer counts, and every score derived from them."""

from segapp.metrics.accumulate import ImageScores, SegmentationScores
from segapp.metrics.boundary import BoundaryScore, boundary_scores
from segapp.metrics.counts import confusion, true_false_positives_negatives
from segapp.metrics.epoch_mean import EpochMean
from segapp.metrics.scores import SCORES, dice, iou, mean_over_classes

__all__ = [
    "EpochMean",
    "SCORES",
    "BoundaryScore",
    "ImageScores",
    "SegmentationScores",
    "boundary_scores",
    "confusion",
    "dice",
    "iou",
    "mean_over_classes",
    "true_false_positives_negatives",
]
