"""Make the tables of scores out of fold: a row for each image, each fold and each score."""

from collections.abc import Sequence

import numpy as np
import torch

from segapp.errors import SegappError
from segapp.io import read_table
from segapp.lab.study.effects import TableRow
from segapp.metrics import Overlap
from segapp.natural_order import make_natural_key
from segapp.report.results import Result, list_scores, name_damaged, name_score
from segapp.report.statistics import estimate_mean


def make_image_rows(results: Sequence[Result]) -> list[TableRow]:
    """Make one row per image, in natural order: its fold, its group and its scores.

    Raises SegappError for an image that two folds were scored on.
    """
    rows: dict[str, TableRow] = {}
    for result in results:
        groups = result.facts.get("groups", {})
        for image, scores in result.images.items():
            if image in rows:
                raise SegappError(f"{image} was scored in {rows[image]['fold']} and in {result.variant}.")
            rows[image] = {"image": image, "fold": result.variant, "group": groups.get(image, image), **scores}
    return [rows[image] for image in sorted(rows, key=make_natural_key)]


def make_score_rows(
    results: Sequence[Result], images: Sequence[TableRow], classes: Sequence[str], background: int | None
) -> list[TableRow]:
    """Make one row per score, over the images of all folds together.

    Means over images have a 95 % interval: Student's t over groups of images, for networks that are each trained once.
    Dice and IoU over the set are those of the counts of all images together. `images` are the rows of
    `make_image_rows`.
    """
    rows: list[TableRow] = []
    for score in list_scores(results):
        found = estimate_mean(np.array([[row[score] for row in images]]), [row["group"] for row in images])
        rows.append({"score": name_score(score), "value": found.estimate, "low": found.low, "high": found.high})
    for name, value in Overlap(classes, background).reduce(_read_counts(results, classes)).items():
        if name.endswith("/dataset"):
            named = dict(zip(classes, value.per_class, strict=True))
            rows.append({"score": name, "value": value.mean})
            rows += [{"score": f"{name}/{label}", "value": one} for label, one in named.items()]
    return rows


def make_fold_rows(results: Sequence[Result]) -> list[TableRow]:
    """Make one row per fold: its images, epochs, seconds, and scores over its images."""
    rows = []
    for result in results:
        row: TableRow = {"fold": result.variant, "status": result.status, "images": len(result.images)}
        row |= {"epochs": len(result.curves), "seconds": round(result.seconds, 1)}
        scores = result.metrics.get("scores", {})
        rows.append(row | {name: value for name, value in scores.items() if name.count("/") == 1})
    return rows


def _read_counts(results: Sequence[Result], classes: Sequence[str]) -> torch.Tensor:
    """Read the counts (I, 3, K) of every image from the tables of the folds' evaluations."""
    counts: list[list[list[int]]] = []
    for path in (one.evaluation / "per_image.csv" for one in results if one.evaluation is not None):
        rows = read_table(path)
        with name_damaged(path):
            counts += [
                [[_read_count(row[f"{c}/{label}"]) for label in classes] for c in Overlap.columns] for row in rows
            ]
    return torch.tensor(counts, dtype=torch.int64).reshape(-1, len(Overlap.columns), len(classes))


def _read_count(text: str) -> int:
    """Read a number of pixels; raise ValueError for one that no image has."""
    count = int(text)
    if not 0 <= count < 2**48:
        raise ValueError(f"{count} pixels")
    return count
