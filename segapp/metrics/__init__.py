"""Integer counts, and every score derived from them."""

from segapp.metrics.accumulate import ImageScores, SegmentationScores
from segapp.metrics.boundary import BoundaryScore, score_boundaries
from segapp.metrics.counts import count_confusion, split_confusion
from segapp.metrics.epoch_mean import EpochMean
from segapp.metrics.scores import SCORES, compute_dice, compute_iou, mean_over_classes

__all__ = [
    "EpochMean",
    "SCORES",
    "BoundaryScore",
    "ImageScores",
    "SegmentationScores",
    "score_boundaries",
    "count_confusion",
    "compute_dice",
    "compute_iou",
    "mean_over_classes",
    "split_confusion",
]
