"""The rows of the tables of an evaluation's page."""

import math
from typing import Any, NamedTuple

import numpy as np

from segapp.metrics import Evaluation
from segapp.report.evaluation_intervals import Intervals
from segapp.report.results import is_lower_better

Row = dict[str, Any]

CLASS_SCORES = (
    *("dice/dataset", "iou/dataset", "precision/dataset", "recall/dataset"),
    *("surface_dice/image", "hd95/image", "pq/dataset"),
)
"""Scores of the table of classes; the first two with intervals."""


class Cell(NamedTuple):
    """A cell of the confusion matrix."""

    percent: float | None
    """Of the pixels of the row's class; None where it has none."""
    pixels: int
    is_right: bool


def list_score_rows(evaluation: Evaluation, intervals: Intervals) -> tuple[list[Row], list[Row]]:
    """List the means of the printed table, then all others, each with the ends of its interval."""
    rows = {name: _describe(name, value.mean, intervals) for name, value in evaluation.values.items()}
    brief = [rows[name] for name in evaluation.brief]
    return brief, [row for name, row in rows.items() if name not in evaluation.brief]


def _describe(name: str, value: float, intervals: Intervals) -> Row:
    low, high = intervals.get(name, (math.nan, math.nan))
    better = "less" if is_lower_better(name) else "more"
    return {"score": name, "value": value, "95 % from": low, "to": high, "better": better}


def list_review_rows(review: dict[str, Any]) -> list[Row]:
    """List what reviews of `describe_review` find, in percent."""
    columns = {"wrong_pixels": "% of wrong pixels", "wrong_pixels_possible": "% at most", "worst_images": "% of worst"}
    return [
        {"least certain images": f"{one['fraction']:.0%} ({one['images']:,})"}
        | {words: "–" if one[name] is None else f"{100 * one[name]:.1f}" for name, words in columns.items()}
        for one in review["reviewed"]
    ]


def list_class_rows(evaluation: Evaluation, intervals: Intervals) -> list[Row]:
    """List the classes with their share of the pixels, the images they occur in, and their scores."""
    pixels = evaluation.confusion.sum(1)
    rows = []
    for index, (name, images) in enumerate(evaluation.support.items()):
        share = 100 * float(pixels[index]) / max(1, int(pixels.sum()))
        row: Row = {"class": name, "images": images, "% of pixels": f"{share:.3g}"}
        for score in CLASS_SCORES:
            value = evaluation.values.get(score)
            if value is None or not value.per_class:
                continue
            row[score] = value.per_class[index]
            if score in CLASS_SCORES[:2] and intervals:
                row[f"{score} 95 %"] = _format_interval(intervals.get(f"{score}/{name}"))
        rows.append(row)
    return rows


def _format_interval(interval: tuple[float, float] | None) -> str:
    return "–" if interval is None else f"{interval[0]:.4f} … {interval[1]:.4f}"


def make_confusion_cells(confusion: np.ndarray) -> list[list[Cell]]:
    """Return the cells of the matrix (K, K), each row in percent of its sum."""
    totals = confusion.sum(1)
    return [
        [
            Cell(100 * int(count) / int(totals[row]) if totals[row] else None, int(count), row == column)
            for column, count in enumerate(counts)
        ]
        for row, counts in enumerate(confusion)
    ]


def list_confusions(evaluation: Evaluation) -> list[Row]:
    """List the pairs of classes that are confused, those of most pixels first."""
    confusion = evaluation.confusion.numpy()
    totals = confusion.sum(1)
    wrong = confusion - np.diag(np.diag(confusion))
    order = np.argsort(-wrong, axis=None, kind="stable")[: np.count_nonzero(wrong)]
    pairs = [divmod(int(flat), len(confusion)) for flat in order]
    return [
        {
            "truth": evaluation.classes[target],
            "prediction": evaluation.classes[predicted],
            "pixels": int(wrong[target, predicted]),
            "% of the class": f"{100 * wrong[target, predicted] / totals[target]:.2f}",
        }
        for target, predicted in pairs
    ]


def describe_volumes(volumes: Evaluation | None) -> dict[str, str]:
    """Describe the number of volumes and the mean of their Dice; nothing where images are no slices."""
    if volumes is None:
        return {}
    mean = volumes.flat["dice/image"]
    return {"volumes": str(len(volumes.images)), "dice/volume": "–" if math.isnan(mean) else f"{mean:.3f}"}


def list_volume_rows(volumes: Evaluation) -> list[Row]:
    """List the means over volumes, then the volumes, the lowest Dice first: Dice, IoU and the Dice of every class.

    The background has no column.
    """
    header, lines = volumes.tabulate()
    columns = {"dice": "dice/image", "iou": "iou/image"}
    classes = [name for index, name in enumerate(volumes.classes) if index != volumes.background]
    if len(classes) > 1:
        columns |= {f"dice/{name}": f"dice/image/{name}" for name in classes}
    tables = [dict(zip(header, line, strict=True)) for line in lines]
    rows: list[Row] = [{"volume": table["name"]} | {name: table[name] for name in columns} for table in tables]
    rows.sort(key=lambda row: (math.isnan(row["dice"]), row["dice"], row["volume"]))
    return [{"volume": "mean"} | {name: volumes.flat[mean] for name, mean in columns.items()}, *rows]
