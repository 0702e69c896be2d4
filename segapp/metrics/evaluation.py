"""The scores of a data set: values, the table of images, and a readable table."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from segapp.metrics.score import Score, Value, mean_over_classes
from segapp.terminal.text import for_terminal


class ImageRows(NamedTuple):
    """What is kept of one image."""

    name: str
    rows: tuple[list[list[float]], ...]
    """The row of every score: its columns, each per class."""
    cells: list[tuple[int, int, int]]
    """The image's confusion matrix as (target, prediction, count); empty unless `keep_confusion`."""


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
        result: dict[str, float] = {}
        for name, value in self.values.items():
            result[name] = value.mean
            result |= {f"{name}/{label}": one for label, one in zip(self.classes, value.per_class, strict=True)}
        return result

    @property
    def support(self) -> dict[str, int]:
        """The number of images in which each class occurs, in target or prediction."""
        defined = (self.stacked[0].sum(1) > 0).sum(0)  # of the counts of `Overlap`, which comes first
        return dict(zip(self.classes, defined.tolist(), strict=True))

    def tabulate(self) -> tuple[list[str], list[list[Any]]]:
        """Return header and rows of a table with a row per image.

        Columns are the image's name, every measure's mean over the image's classes, then per class the columns of every
        score and its measures.
        """
        measures: dict[str, Tensor] = {}
        columns: dict[str, Tensor] = {}
        for score, rows in zip(self.scores, self.stacked, strict=True):
            own = score.measure(rows)
            measures |= own
            columns |= dict(zip(score.columns, rows.unbind(1), strict=True)) | own
        header = ["name", *measures, *(f"{column}/{label}" for label in self.classes for column in columns)]
        means = [mean_over_classes(each, self.background).tolist() for each in measures.values()]
        by_class = torch.stack(list(columns.values()), dim=2).flatten(1).tolist()  # (images, classes · columns)
        lines = [
            [image.name, *(mean[index] for mean in means), *by_class[index]] for index, image in enumerate(self.images)
        ]
        return header, lines

    def __str__(self) -> str:
        """Return the table of `format_table`."""
        return format_table(self)


def format_table(evaluation: Evaluation) -> str:
    """Format a readable table; `-` where a class was in neither target nor prediction."""
    names = [for_terminal(name) for name in evaluation.classes]
    support, images = evaluation.support, len(evaluation.images)
    width = max(len(name) for name in (*names, "mean"))
    lines = [
        f"{images} images",
        f"  {'class':<{width}}  " + "  ".join(f"{c:>{_measure_width(c)}}" for c in evaluation.values) + "   images",
    ]
    for index, name in enumerate(names):
        values = {column: value.per_class[index] for column, value in evaluation.values.items()}
        lines.append(f"  {name:<{width}}  {_format_row(values)}  {support[evaluation.classes[index]]:>7}")
    means = {column: value.mean for column, value in evaluation.values.items()}
    lines.append(f"  {'mean':<{width}}  {_format_row(means)}")
    if evaluation.background is not None:
        lines.append(f"  (the mean leaves out {names[evaluation.background]}, the background)")
    if any(count != images for count in support.values()):
        lines.append("  (the mean of …/image is over images, of each the mean over the classes that occur in it)")
    if math.isnan(means["dice/dataset"]):
        lines.append("  nothing to score: no class of the mean occurs in the truth or the predictions")
    return "\n".join(lines)


def _format_row(values: Mapping[str, float]) -> str:
    return "  ".join(f"{_format_score(value):>{_measure_width(column)}}" for column, value in values.items())


def _measure_width(column: str) -> int:
    return max(12, len(column))


def _format_score(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"
