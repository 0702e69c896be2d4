"""Read the results of finished runs from their files."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from segapp.errors import SegappError
from segapp.io import read_table
from segapp.metrics import CONFIDENCE, TEST_SCORES, Overlap, Score
from segapp.natural_order import make_natural_key
from segapp.report.gradient_flow_table import FlowTable, read_flow
from segapp.system.text_files import read_json


@contextmanager
def name_damaged(path: Path) -> Iterator[None]:
    """Turn what reading altered content raises into a SegappError that names the file."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError) as error:
        found = f"{type(error).__name__}: {error}"[:120]
        raise SegappError(f"{path}: damaged, or altered by hand ({found}); write it again.") from error


def is_lower_better(score: str) -> bool:
    """Return whether less is better: of a score per image (`hd95`), of its mean (`hd95/image`) and of the loss."""
    measure = score.partition("/")[0]
    return measure == "loss" or any(measure in kind.lower_is_better for kind in _list_kinds())


def _list_kinds() -> tuple[type[Score], ...]:
    return (Overlap, *TEST_SCORES)


def name_score(score: str) -> str:
    """Return the name of the mean over images of a score per image: as in metrics.json, `dice/image` of `dice`."""
    return f"{score}/image"


@dataclass(frozen=True)
class Result:
    """One run: a variant with one seed."""

    variant: str
    seed: int
    status: str = "finished"
    message: str = ""
    """Why it failed."""
    run: Path | None = None
    evaluation: Path | None = None
    examples: Path | None = None
    seconds: float = math.nan
    facts: Mapping[str, Any] = field(default_factory=dict)
    """`parameters`, `flops`, `image`, `groups`."""
    levels: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """metrics.json of the evaluation."""
        if self.evaluation is None:
            return {}
        path = self.evaluation / "metrics.json"
        found = read_json(path)
        with name_damaged(path):
            for value in (found["loss"], *found["scores"].values()):
                if not isinstance(value, int | float | None):
                    raise TypeError(f"{value!r:.40} is no score")
        return dict(found)

    @cached_property
    def curves(self) -> list[dict[str, str]]:
        """One row of metrics.csv for each epoch of the run: its last, which has the mean training loss."""
        return [row for row in self.records if row.get("train/loss")]

    @cached_property
    def records(self) -> list[dict[str, str]]:
        """metrics.csv of the run: every epoch, and every validation within one."""
        path = None if self.run is None else self.run / "metrics.csv"
        if path is None or not path.is_file():
            return []
        rows = read_table(path)
        with name_damaged(path):
            for row in rows:
                for value in row.values():
                    float(value or "nan")
        return rows

    @cached_property
    def images(self) -> dict[str, dict[str, float]]:
        """Per image of the evaluation and score the mean over classes (the background left out); NaN if undefined."""
        if self.evaluation is None:
            return {}
        path = self.evaluation / "per_image.csv"
        rows = read_table(path)
        with name_damaged(path):
            return {row["name"]: compute_image_scores(path, row) for row in rows}

    @cached_property
    def flow(self) -> FlowTable | None:
        """gradient_flow.csv of the run, where the GradientFlow callback watched it."""
        path = None if self.run is None else self.run / "gradient_flow.csv"
        if path is None or not path.is_file():
            return None
        with name_damaged(path):
            return read_flow(path)

    @property
    def landscape(self) -> Path | None:
        """The folder of its loss surface, where `segapp landscape` finished one in the run."""
        record = None if self.run is None else self.run / "landscape" / "landscape.json"
        is_finished = record is not None and record.is_file() and "sharpness" in read_json(record)
        return record.parent if record is not None and is_finished else None


def compute_image_scores(path: Path, row: Mapping[str, str]) -> dict[str, float]:
    """Return the scores of one row of per_image.csv at `path`, each the mean over the image's classes.

    Raises SegappError where there are none.
    """
    scores = {
        column: _parse_number(cell)
        for column, cell in row.items()
        if column not in ("name", CONFIDENCE) and "/" not in column
    }
    if not scores:
        raise SegappError(f"{path}: has no scores per image; run segapp test again.")
    return scores


def compute_nan_mean(values: Sequence[float]) -> float:
    """Compute the mean of the values that are numbers; NaN where there is none."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def _parse_number(text: str) -> float:
    return float(text) if text not in ("", "-", "None") else math.nan


def list_scores(results: Sequence[Result]) -> list[str]:
    """List the scores per image that every finished run has and that pages show, in their order."""
    found = [list(next(iter(result.images.values()))) for result in results if result.images]
    if not found:
        return []
    hidden = {name for kind in _list_kinds() if not kind.in_brief for name in kind((), None).measures}
    return [name for name in found[0] if name not in hidden and all(name in other for other in found)]


def select_scores(results: Sequence[Result], variant: str, score: str, images: Sequence[str]) -> dict[int, np.ndarray]:
    """Select, by seed, the variant's score (I,) of every image."""
    finished = [result for result in results if result.variant == variant and result.images]
    return {result.seed: np.array([result.images[name][score] for name in images]) for result in finished}


def find_common_images(results: Sequence[Result]) -> list[str]:
    """Find the images that every finished run was scored on, in natural order."""
    named = [set(result.images) for result in results if result.images]
    return sorted(set.intersection(*named), key=make_natural_key) if named else []


def assign_groups(images: Sequence[str], known: Mapping[str, str], rule: Mapping[str, Any]) -> list[str]:
    """Group each image by `rule` (`neighbours: n` or `pattern: …`), else by the groups of the data set.

    An image that the pattern does not match is a group of its own.
    """
    if "neighbours" in rule:
        return [f"{index // int(rule['neighbours']):06d}" for index in range(len(images))]
    if "pattern" in rule:
        matches = [re.search(rule["pattern"], name) for name in images]
        return [found.group(found.lastindex or 0) if found else n for found, n in zip(matches, images, strict=True)]
    return [known.get(name, name) for name in images]
