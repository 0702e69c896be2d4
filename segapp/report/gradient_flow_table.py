"""`gradient_flow.csv`: one row per measured step and submodule, written by `segapp.lab.gradient_flow.GradientFlow`."""

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segapp.errors import MisuseError, SegappError
from segapp.io import write_atomically
from segapp.system.text_files import read_text

COLUMNS = (
    "epoch",
    "step",
    "order",
    "module",
    "gradient_norm",
    "clip_coefficient",
    "weight_norm",
    "update_ratio",
    "dead_channels",
    "activation_mean",
    "activation_variance",
    "skipped",
)
"""An empty field is a value that does not exist: a ReLU has no gradient norm, a skipped step no update."""

SPARSE = 16
"""Fields that a table may have for each of its rows: a run that was resumed may miss some."""

FlowRow = dict[str, str]


def read_rows(path: Path) -> list[FlowRow]:
    """Read the complete rows of the file, without the truncated last one of a run that was killed.

    Raises:
        SegappError: no such file, or one with other columns.
    """
    if not path.is_file():
        raise MisuseError(
            f"{path}: missing; train with segapp.lab.gradient_flow.GradientFlow in trainer.callbacks to write it."
        )
    text = read_text(path)
    rows = list(csv.reader(text[: text.rfind("\n") + 1].splitlines()))
    if not rows or tuple(rows[0]) != COLUMNS:
        raise SegappError(f"{path}: not a table of gradient flow; its first line should be {','.join(COLUMNS)}.")
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows[1:] if len(row) == len(COLUMNS)]


def start_table(path: Path, last_step: int) -> None:
    """Start a table, or truncate that of an interrupted run after `last_step`."""
    kept = [row for row in read_rows(path) if int(row["step"]) <= last_step] if path.is_file() and last_step else []
    with write_atomically(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)


def append_rows(path: Path, rows: Iterable[Sequence[object]]) -> None:
    """Append the rows of a step in one write."""
    lines = "".join(",".join(_format_field(value) for value in row) + "\n" for row in rows)
    with path.open("a", newline="", encoding="utf-8") as file:
        file.write(lines)


def _format_field(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class FlowTable:
    """The table of a run, as arrays."""

    steps: list[int]
    modules: list[str]
    """In order of execution."""
    values: dict[str, np.ndarray]
    """Column → (modules, steps) float64; NaN where there is no value."""

    def select_weighted(self) -> "FlowTable":
        """Select the submodules that have parameters of their own."""
        return self.select([not np.isnan(norms).all() for norms in self.values["weight_norm"]])

    def select(self, kept: Sequence[bool]) -> "FlowTable":
        """Select the submodules that are marked, one mark for each."""
        modules = [module for module, keep in zip(self.modules, kept, strict=True) if keep]
        return FlowTable(self.steps, modules, {name: grid[np.array(kept, bool)] for name, grid in self.values.items()})


def read_flow(path: Path) -> FlowTable:
    """Read the table as arrays; raise SegappError for another kind of file, or one without rows."""
    rows = read_rows(path)
    if not rows:
        raise SegappError(f"{path}: holds no measured step yet; wait until the run has done one.")
    steps = sorted({int(row["step"]) for row in rows})
    order = {row["module"]: int(row["order"]) for row in rows}
    modules = sorted(order, key=order.__getitem__)
    if len(modules) * len(steps) > SPARSE * len(rows):
        raise SegappError(f"{path}: {len(rows)} rows of {len(modules)} modules and {len(steps)} steps, most missing.")
    row_of, column_of = ({key: index for index, key in enumerate(keys)} for keys in (modules, steps))
    values = {name: np.full((len(modules), len(steps)), math.nan) for name in COLUMNS[4:]}
    for row in rows:
        for name, grid in values.items():
            grid[row_of[row["module"]], column_of[int(row["step"])]] = float(row[name] or "nan")
    return FlowTable(steps, modules, values)


def compute_median(grid: np.ndarray) -> np.ndarray:
    """Compute (rows,): each row's median over its finite values; NaN where it has none."""
    finite = [row[np.isfinite(row)] for row in grid]
    return np.array([np.median(row) if len(row) else np.nan for row in finite])
