"""`check.json`: the findings for programs."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segapp.checking.contradictions import Contradiction
from segapp.checking.data_set import DataSet
from segapp.datasets.problems import Problem
from segapp.datasets.source import SPLITS
from segapp.io import write_atomically

VERSION = 1
"""Of the file's layout."""


def write_report(
    path: Path, data: DataSet, problems: Sequence[Problem], contradictions: Sequence[Contradiction] = ()
) -> None:
    """Write all problems, counts of images, pixels and objects, and the ranking of a network, as JSON."""
    report = build_report(data, problems, contradictions)
    with write_atomically(path) as temporary:
        temporary.write_text(json.dumps(report, indent=1) + "\n")


def build_report(
    data: DataSet, problems: Sequence[Problem], contradictions: Sequence[Contradiction] = ()
) -> dict[str, Any]:
    """Return what the JSON holds."""
    described = [one.described for one in data.described if one.described is not None]
    counts = np.sum([one.counts for one in described], axis=0) if described else np.zeros(len(data.classes), int)
    images = np.sum([one.counts > 0 for one in described], axis=0) if described else counts
    return {
        "version": VERSION,
        "errors": sum(problem.severity == "error" for problem in problems),
        "warnings": sum(problem.severity == "warning" for problem in problems),
        "images": {split: len(data.of(split)) for split in SPLITS},
        "classes": [
            {"name": name, "pixels": int(pixels), "images": int(held)}
            for name, pixels, held in zip(data.classes, counts, images, strict=True)
        ],
        "problems": [
            {
                "severity": problem.severity,
                "kind": problem.kind,
                "message": problem.message,
                "path": None if problem.path is None else str(problem.path),
                "setting": problem.setting,
                "items": list(problem.items),
            }
            for problem in problems
        ],
        "contradictions": [
            {
                "image": one.name,
                "score": round(one.score, 6),
                "object_score": round(one.object_score, 6),
                "fraction": round(one.fraction, 6),
                "labelled": data.classes[one.region.labelled] if one.region.area else None,
                "predicted": data.classes[one.region.predicted] if one.region.area else None,
                "area": one.region.area,
                "centre": list(one.region.centre),
            }
            for one in contradictions
        ],
    }
