"""Scores of complete images: a row per image, exact values over a data set on any number of processes."""

from segapp.metrics.agreement import Agreement
from segapp.metrics.boundary import Boundary, BoundaryScore, score_boundaries
from segapp.metrics.boundary_iou import BoundaryIoU
from segapp.metrics.calibration import CalibrationCounts, describe_calibration, format_calibration
from segapp.metrics.centreline import CentrelineDice
from segapp.metrics.counts import count_confusion, split_confusion
from segapp.metrics.distance import Distance
from segapp.metrics.epoch_mean import EpochMean
from segapp.metrics.evaluation import CONFIDENCE, Evaluation, ImageRows
from segapp.metrics.object_precision import ObjectPrecision
from segapp.metrics.object_sizes import ObjectSizes
from segapp.metrics.objects import Objects
from segapp.metrics.outlines import BoundaryUnit
from segapp.metrics.overlap import Overlap, compute_dice, compute_iou
from segapp.metrics.review import describe_review, format_review
from segapp.metrics.score import Comparison, Score, Value, average_over_classes
from segapp.metrics.score_collector import ScoreCollector

TEST_SCORES: tuple[type[Score], ...] = (
    Boundary,
    Agreement,
    Distance,
    BoundaryIoU,
    Objects,
    ObjectPrecision,
    ObjectSizes,
)
"""Scores of a test beside Dice and IoU, which are always computed."""

__all__ = [
    "CONFIDENCE",
    "TEST_SCORES",
    "Agreement",
    "Boundary",
    "BoundaryIoU",
    "BoundaryScore",
    "BoundaryUnit",
    "CalibrationCounts",
    "CentrelineDice",
    "Comparison",
    "Distance",
    "EpochMean",
    "Evaluation",
    "ScoreCollector",
    "ImageRows",
    "ObjectPrecision",
    "ObjectSizes",
    "Objects",
    "Overlap",
    "Score",
    "Value",
    "compute_dice",
    "compute_iou",
    "count_confusion",
    "describe_calibration",
    "describe_review",
    "format_calibration",
    "format_review",
    "average_over_classes",
    "score_boundaries",
    "split_confusion",
]
