"""The scores of a data set: reduced values and a table of images."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from segapp.metrics.calibration import CalibrationCounts
from segapp.metrics.evaluation_table import format_table
from segapp.metrics.outlines import BoundaryUnit
from segapp.metrics.score import PIXELS, Score, Value, average_over_classes
from segapp.spec import find_volume_name

CONFIDENCE = "mean_confidence"
"""A column of the table of images that is no score; `segapp predict` writes it too."""


class ImageRows(NamedTuple):
    """The rows and the confusion matrix of one image."""

    name: str
    rows: tuple[list[list[float]], ...]
    """The row of every score: its columns, each per class."""
    cells: list[tuple[int, int, int]]
    """The image's confusion matrix as (target, prediction, count); empty unless `keep_confusion`."""
    confidence: float = math.nan
    """The mean probability of the predicted class over all pixels; NaN where only class indices were scored."""


@dataclass(frozen=True)
class Evaluation:
    """The scores of a data set: the same on every process."""

    scores: tuple[Score, ...]
    classes: tuple[str, ...]
    background: int | None
    confusion: Tensor
    """(K, K) int64 over all images; rows are the target, columns the prediction."""
    images: list[ImageRows]
    """All images, sorted by name."""
    calibration: Mapping[float, CalibrationCounts] = field(default_factory=dict)
    """The counts of the probabilities by the temperature of the network; empty where only classes were scored."""
    unit: BoundaryUnit = PIXELS
    """In which boundary scores measure distances."""
    stacked: list[Tensor] = field(init=False)
    """The rows of every score, (I, columns, K)."""
    values: dict[str, Value] = field(init=False)
    """Every value by its name, as `dice/dataset`."""

    def __post_init__(self) -> None:
        """Reduce the rows, once."""
        stacked = []
        for index, score in enumerate(self.scores):
            rows = torch.tensor([image.rows[index] for image in self.images], dtype=torch.float64)
            stacked.append(rows.reshape(-1, len(score.columns), len(self.classes)))  # also of no image
        values: dict[str, Value] = {}
        for score, rows in zip(self.scores, stacked, strict=True):
            values |= score.reduce(rows)
        object.__setattr__(self, "stacked", stacked)
        object.__setattr__(self, "values", values)

    @property
    def flat(self) -> dict[str, float]:
        """Every value by its full name (`dice/dataset`, `dice/dataset/<class>`, …); NaN where nothing was scored."""
        return self._flatten(self.values)

    @property
    def flat_brief(self) -> dict[str, float]:
        """The values of `brief` by their full names."""
        return self._flatten(self.brief)

    @property
    def brief(self) -> dict[str, Value]:
        """The values that tables and logs have: those of the scores that are `in_brief`."""
        names = {name for score in self.scores if score.in_brief for name in score.names}
        return {name: value for name, value in self.values.items() if name in names}

    @property
    def support(self) -> dict[str, int]:
        """The number of images in which each class occurs, in target or prediction."""
        defined = (self.stacked[0].sum(1) > 0).sum(0)  # of the counts of `Overlap`, which comes first
        return dict(zip(self.classes, defined.tolist(), strict=True))

    def tabulate(self) -> tuple[list[str], list[list[Any]]]:
        """Return header and rows of a table with a row per image.

        Columns are the image's name, every measure's mean over the image's classes, its mean confidence where that is
        known, then per class the columns of every score and its measures.
        """
        measures: dict[str, Tensor] = {}
        columns: dict[str, Tensor] = {}
        for score, rows in zip(self.scores, self.stacked, strict=True):
            own = score.measure(rows)
            measures |= own
            columns |= dict(zip(score.columns, rows.unbind(1), strict=True)) | own
        by_image = {name: average_over_classes(each, self.background).tolist() for name, each in measures.items()}
        confidences = [image.confidence for image in self.images]
        if not all(map(math.isnan, confidences)):
            by_image[CONFIDENCE] = confidences
        header = ["name", *by_image, *(f"{column}/{label}" for label in self.classes for column in columns)]
        by_class = torch.stack(list(columns.values()), dim=2).flatten(1).tolist()  # (images, classes · columns)
        lines = [
            [image.name, *(values[index] for values in by_image.values()), *by_class[index]]
            for index, image in enumerate(self.images)
        ]
        return header, lines

    def sum_volumes(self) -> "Evaluation | None":
        """Return Dice and IoU of volumes, from the counts of all slices of each; None where no image is a slice."""
        counts: dict[str, Tensor] = {}
        for image, rows in zip(self.images, self.stacked[0], strict=True):
            name = find_volume_name(image.name)
            if name is not None:
                counts[name] = counts.get(name, torch.zeros_like(rows)) + rows
        if not counts:
            return None
        images = [ImageRows(name, (rows.tolist(),), []) for name, rows in sorted(counts.items())]
        return Evaluation(self.scores[:1], self.classes, self.background, self.confusion, images)

    def _flatten(self, values: Mapping[str, Value]) -> dict[str, float]:
        """Return the means and the values of classes by their full names; no classes where only the mean is defined."""
        result: dict[str, float] = {}
        for name, value in values.items():
            classes = self.classes if value.per_class else ()
            result[name] = value.mean
            result |= {f"{name}/{label}": one for label, one in zip(classes, value.per_class, strict=True)}
        return result

    def __str__(self) -> str:
        """Return the table of `format_table`."""
        return format_table(self)
