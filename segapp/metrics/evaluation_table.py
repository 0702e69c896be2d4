"""Format the scores of a data set as a readable table."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from segapp.terminal.text import for_terminal

if TYPE_CHECKING:
    from segapp.metrics.evaluation import Evaluation


def format_table(evaluation: "Evaluation") -> str:
    """Format a readable table; `-` where a class was in neither target nor prediction."""
    values = evaluation.brief
    names = [for_terminal(name) for name in evaluation.classes]
    support, images = evaluation.support, len(evaluation.images)
    width = max(len(name) for name in (*names, "mean"))
    lines = [
        f"{images} images",
        f"  {'class':<{width}}  " + "  ".join(f"{c:>{_measure_width(c)}}" for c in values) + "   images",
    ]
    for index, name in enumerate(names):
        of_class = {column: value.per_class[index] for column, value in values.items()}
        lines.append(f"  {name:<{width}}  {_format_row(of_class)}  {support[evaluation.classes[index]]:>7}")
    means = {column: value.mean for column, value in values.items()}
    lines.append(f"  {'mean':<{width}}  {_format_row(means)}")
    if evaluation.background is not None:
        lines.append(f"  (the mean leaves out {names[evaluation.background]}, the background)")
    if any(count != images for count in support.values()):
        lines.append("  (the mean of …/image is over images, of each the mean over the classes that occur in it)")
    if evaluation.unit.name:
        unit = evaluation.unit
        lines.append(f"  (surface Dice within {unit.tolerance:g} {unit.name}; distances of boundaries in {unit.name})")
    if math.isnan(means["dice/dataset"]):
        lines.append("  nothing to score: no class of the mean occurs in the target or the predictions")
    return "\n".join(lines)


def _format_row(values: Mapping[str, float]) -> str:
    return "  ".join(f"{_format_score(value):>{_measure_width(column)}}" for column, value in values.items())


def _measure_width(column: str) -> int:
    return max(12, len(column))


def _format_score(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"
