"""Write the files of an evaluation: `metrics.json` and `per_image.csv`."""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from segapp.io import write_atomically, write_table
from segapp.metrics import Evaluation, describe_calibration, describe_review


def describe_evaluation(evaluation: Evaluation) -> dict[str, Any]:
    """Return what `metrics.json` says of every evaluation, in plain types."""
    described: dict[str, Any] = {
        "images": len(evaluation.images),
        "images_per_class": evaluation.support,
        "classes": list(evaluation.classes),
        "background": None if evaluation.background is None else evaluation.classes[evaluation.background],
        "scores": convert_scores(evaluation.flat),
        "confusion": evaluation.confusion.tolist(),
    }
    if evaluation.unit.name:
        described["boundaries"] = {"tolerance": evaluation.unit.tolerance, "unit": evaluation.unit.name}
    if evaluation.calibration:
        found = describe_calibration(evaluation.calibration, evaluation.classes, evaluation.background)
        described["calibration"] = found
    if (review := describe_review(evaluation)) is not None:
        described["review"] = review
    return described


def convert_scores(scores: Mapping[str, float]) -> dict[str, float | None]:
    """Return the scores with None for NaN, which JSON does not have."""
    return {name: None if math.isnan(value) else value for name, value in scores.items()}


def name_volume_scores(volumes: Evaluation) -> dict[str, float]:
    """Return the means over volumes: `dice/volume`, `dice/volume/<class>`, `iou/volume`, …."""
    return {
        name.replace("/image", "/volume", 1): value
        for name, value in volumes.flat.items()
        if name.split("/")[1] == "image"
    }


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write plain types as JSON."""
    with write_atomically(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1))


def write_rows(path: Path, header: Iterable[str], rows: Iterable[Iterable[str | float]]) -> None:
    """Write a table of names and numbers, ten digits each."""
    write_table(path, header, [list(map(_format_cell, row)) for row in rows])


def _format_cell(value: str | float) -> str:
    """Return text unchanged, and a number to ten digits, counts in full; empty where there is none."""
    if isinstance(value, str):
        return value
    if math.isnan(value):
        return ""
    return str(int(value)) if value.is_integer() and abs(value) >= 1e10 else f"{value:.10g}"
