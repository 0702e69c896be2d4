"""Callbacks of training; add others by their `class_path` under `trainer.callbacks`."""

from segapp.callbacks.absent_classes import AbsentClasses
from segapp.callbacks.changed_options import RetunedOptimizer
from segapp.callbacks.curves import Curves
from segapp.callbacks.ema import EMA
from segapp.callbacks.evaluation_report import EvaluationReport
from segapp.callbacks.finite import StopAtNaN
from segapp.callbacks.freeze import FreezeEncoder
from segapp.callbacks.keep_checkpoints import BestCheckpoint, LastCheckpoint, WholeFiles
from segapp.callbacks.progress import ProgressBar
from segapp.callbacks.run_record import RunRecord
from segapp.callbacks.samples import SamplePictures
from segapp.callbacks.seeding import SeedEachStep
from segapp.callbacks.stop_rules import StopWhenFlat, TimeBudget
from segapp.callbacks.stopping import StopWhenAsked
from segapp.callbacks.training_report import TrainingReport

__all__ = [
    "EMA",
    "AbsentClasses",
    "BestCheckpoint",
    "Curves",
    "EvaluationReport",
    "FreezeEncoder",
    "LastCheckpoint",
    "ProgressBar",
    "RetunedOptimizer",
    "RunRecord",
    "SamplePictures",
    "SeedEachStep",
    "StopAtNaN",
    "StopWhenAsked",
    "StopWhenFlat",
    "TimeBudget",
    "TrainingReport",
    "WholeFiles",
]
