"""What finished runs left on the disk, as numbers."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from segapp.io import read_table
from segapp.report.flow_table import FlowTable, read_flow

LOWER_IS_BETTER = ("hd95", "loss")
"""Scores of which less is more."""


@dataclass(frozen=True)
class Result:
    """One run: an arm with one seed."""

    arm: str
    seed: int
    status: str = "finished"
    sentence: str = ""
    """Why it failed."""
    run: Path | None = None
    verdict: Path | None = None
    examples: Path | None = None
    seconds: float = math.nan
    facts: Mapping[str, Any] = field(default_factory=dict)
    """`parameters`, `flops`, `image`, `groups`."""
    levels: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """metrics.json of the verdict."""
        if self.verdict is None:
            return {}
        found: dict[str, Any] = json.loads((self.verdict / "metrics.json").read_text())
        return found

    @cached_property
    def curves(self) -> list[dict[str, str]]:
        """metrics.csv of the run, one row per epoch."""
        path = None if self.run is None else self.run / "metrics.csv"
        return read_table(path) if path is not None and path.is_file() else []

    @cached_property
    def images(self) -> dict[str, dict[str, float]]:
        """Per image of the verdict and score the mean over classes (the background left out); NaN if undefined."""
        if self.verdict is None:
            return {}
        background = self.metrics.get("background")
        classes = [name for name in self.metrics["classes"] if name != background]
        rows = read_table(self.verdict / "per_image.csv")
        return {row["name"]: image_scores(row, classes) for row in rows}

    @cached_property
    def flow(self) -> FlowTable | None:
        """gradient_flow.csv of the run, where the GradientFlow callback watched it."""
        path = None if self.run is None else self.run / "gradient_flow.csv"
        return read_flow(path) if path is not None and path.is_file() else None

    @property
    def landscape(self) -> Path | None:
        """The folder of its loss surface, where `segapp landscape` finished one in the run."""
        record = None if self.run is None else self.run / "landscape" / "landscape.json"
        whole = record is not None and record.is_file() and "sharpness" in json.loads(record.read_text())
        return record.parent if record is not None and whole else None


def image_scores(row: Mapping[str, str], classes: Sequence[str]) -> dict[str, float]:
    """Dice, IoU and whatever else per_image.csv has, each the mean over the classes where it is defined."""
    values: dict[str, list[float]] = {"dice": [], "iou": []}
    for label in classes:
        tp, fp, fn = (int(row[f"{kind}/{label}"]) for kind in ("tp", "fp", "fn"))
        found = tp + fp + fn
        values["dice"].append(2 * tp / (tp + found) if found else math.nan)
        values["iou"].append(tp / found if found else math.nan)
    for column in row:
        score, _, label = column.partition("/")
        if label in classes and score not in ("tp", "fp", "fn"):
            values.setdefault(score, []).append(_number(row[column]))
    return {score: nan_mean(numbers) for score, numbers in values.items()}


def nan_mean(values: Sequence[float]) -> float:
    """The mean of what is a number; NaN of nothing."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def _number(text: str) -> float:
    return float(text) if text not in ("", "-", "None") else math.nan


def score_names(results: Sequence[Result]) -> list[str]:
    """The scores per image that every finished run has, in their order."""
    found = [list(next(iter(result.images.values()))) for result in results if result.images]
    return [name for name in found[0] if all(name in other for other in found)] if found else []


def scored(results: Sequence[Result], arm: str, score: str, images: Sequence[str]) -> dict[int, np.ndarray]:
    """By seed the arm's score (I,) of every image."""
    finished = [result for result in results if result.arm == arm and result.images]
    return {result.seed: np.array([result.images[name][score] for name in images]) for result in finished}


def common_images(results: Sequence[Result]) -> list[str]:
    """The images that every finished run was scored on, in natural order."""
    named = [set(result.images) for result in results if result.images]
    return sorted(set.intersection(*named), key=natural) if named else []


def natural(name: str) -> list[Any]:
    """10 sorts after 9."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def grouped(images: Sequence[str], known: Mapping[str, str], rule: Mapping[str, Any]) -> list[str]:
    """The group of each image: by `rule` (`neighbours: n` or `pattern: …`), else as the data set says.

    An image that the pattern does not match is a group of its own.
    """
    if "neighbours" in rule:
        return [f"{index // int(rule['neighbours']):06d}" for index in range(len(images))]
    if "pattern" in rule:
        matches = [re.search(rule["pattern"], name) for name in images]
        return [found.group(found.lastindex or 0) if found else n for found, n in zip(matches, images, strict=True)]
    return [known.get(name, name) for name in images]
