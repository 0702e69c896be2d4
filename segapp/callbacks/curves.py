"""Learning curves: `metrics.csv`, a row per epoch and per validation within one, and `curves.png`, plotted from it."""

import time
from pathlib import Path

import matplotlib
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import rank_zero_info
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from segapp.errors import SegappError
from segapp.io import read_table, write_atomically, write_table
from segapp.report.figures import use_defaults
from segapp.spec import Spec
from segapp.terminal.text import for_plot

matplotlib.use("agg")

LIGHTEST = 0.4
"""Luminance of a line on white: 1 is white itself, 0.4 a contrast of 2.3."""


EVERY_SECONDS = 10.0
"""Seconds between two drawings of the curves: one takes as long as an epoch of a small data set."""


class Curves(Callback):
    """Appends every epoch's losses and every validation's scores to `metrics.csv`; redraws `curves.png`.

    The validation at the end of an epoch is in the epoch's row, another has a row of its own without `train/*`. A
    resumed run continues the file: rows after the step it resumes from are dropped, earlier ones stay. The figure is
    drawn after an epoch, but not within `EVERY_SECONDS` of the last one, and at the end of the run.

    Args:
        folder: The run folder.
    """

    def __init__(self, folder: Path) -> None:
        self.csv = folder / "metrics.csv"
        self.png = folder / "curves.png"
        self._rows: list[dict[str, str]] = []
        self._drawn_at = time.monotonic()
        self._is_outdated = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Read the rows of an interrupted run."""
        if self.csv.is_file():
            self._rows = [row for row in read_table(self.csv) if int(row["step"]) <= trainer.global_step]

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep a row with the scores, which the end of the epoch writes: after the checkpoint, if the disk is full."""
        if trainer.sanity_checking or trainer.state.fn != "fit" or not trainer.is_global_zero:
            return
        self._add_row(_describe_place(trainer) | _format_values(trainer, "val"))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the row of an epoch, once its mean training loss is known; a validation just before is in it."""
        if not trainer.is_global_zero:
            return
        row = _describe_place(trainer) | _format_values(trainer, "train")
        last = self._rows[-1] if self._rows else {}
        if last.get("step") == row["step"]:
            row |= {name: value for name, value in last.items() if name.startswith("val/")}
        self._add_row(row)
        write_rows(self.csv, self._rows)
        self._is_outdated = True
        if time.monotonic() - self._drawn_at >= EVERY_SECONDS:
            self._draw(pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the epochs since the last drawing."""
        self._draw(pl_module)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Draw the curves of a run that was stopped or failed; a drawing that fails hides no error."""
        if not isinstance(exception, Exception):  # a second Ctrl-C
            return
        try:
            self._draw(pl_module)
        except (OSError, SegappError) as error:
            rank_zero_info(f"{self.png} was not drawn: {error}")

    def _draw(self, pl_module: LightningModule) -> None:
        if not self._is_outdated:
            return
        spec: Spec = pl_module.spec  # type: ignore[assignment]
        with use_defaults():
            draw_curves(self._rows, self.png, spec)
        self._drawn_at, self._is_outdated = time.monotonic(), False

    def _add_row(self, row: dict[str, str]) -> None:
        """Add a row in place of one of the same step, and of that with which an interruption ended the epoch."""
        kept = []
        for old in self._rows:
            if old["epoch"] == row["epoch"]:
                old = {name: value for name, value in old.items() if not name.startswith("train/")}
                if old["step"] == row["step"] or not any(name.startswith("val/") and old[name] for name in old):
                    continue
            kept.append(old)
        self._rows = [*kept, row]


def _describe_place(trainer: Trainer) -> dict[str, str]:
    rate = trainer.optimizers[0].param_groups[0]["lr"]
    return {"epoch": str(trainer.current_epoch + 1), "step": str(trainer.global_step), "lr": f"{rate:.6g}"}


def _format_values(trainer: Trainer, stage: str) -> dict[str, str]:
    return {
        name.removesuffix("_epoch"): f"{float(value):.6g}"
        for name, value in sorted(trainer.callback_metrics.items())
        if name.split("/")[0] == stage
    }


def write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    """Write a CSV whose columns are all the keys that occur, in order of first appearance."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    write_table(path, columns, ([row.get(column, "") for column in columns] for row in rows))


def draw_curves(rows: list[dict[str, str]], path: Path, spec: Spec) -> None:
    """Draw losses on the left, Dice per class in the classes' order and colours on the right, over epochs.

    The mean is that of the classes but the background; where there is one such class, its label names it.
    """
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    losses, dice = figure.subplots(1, 2)
    places = _locate_rows(rows)
    for name in ("train/loss", "val/loss"):
        _plot(losses, places, rows, name, label=name)
    losses.set(title="Loss", xlabel="epoch")
    counted = [name for index, name in enumerate(spec.classes) if index != spec.background]
    for name, colour in list(zip(spec.classes, spec.palette, strict=True))[:20]:
        alone = [name] == counted
        label, width = (f"{for_plot(name)} (the mean)", 2.5) if alone else (for_plot(name), 1.2)
        _plot(dice, places, rows, f"val/dice/dataset/{name}", label=label, color=_darken(colour), linewidth=width)
    if len(counted) > 1:
        _plot(dice, places, rows, "val/dice/dataset", label="mean", color="black", linewidth=2.5, linestyle="--")
    dice.set(title="Validation Dice (whole set)", xlabel="epoch", ylim=(0, 1))
    for axes in (losses, dice):
        axes.grid(alpha=0.3)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        if axes.lines:
            outside = {"loc": "upper left", "bbox_to_anchor": (1, 1)} if axes is dice else {}
            axes.legend(fontsize=8, **outside)
    with write_atomically(path) as temporary:
        figure.savefig(temporary, dpi=110)


def _darken(colour: tuple[int, int, int]) -> tuple[float, ...]:
    """Return RGB in [0, 1] of a class, darkened so that a line is visible on white."""
    luminance = sum(weight * (value / 255) ** 2.2 for weight, value in zip((0.21, 0.72, 0.07), colour, strict=True))
    scale = min(1.0, (LIGHTEST / max(luminance, LIGHTEST)) ** (1 / 2.2))
    return tuple(value / 255 * scale for value in colour)


def _plot(axes, places: list[float], rows: list[dict[str, str]], name: str, **style) -> None:  # type: ignore[no-untyped-def]
    points = [(x, float(row[name])) for x, row in zip(places, rows, strict=True) if row.get(name)]
    if points:
        axes.plot(*zip(*points, strict=True), marker="o" if len(points) < 25 else None, markersize=3, **style)


def _locate_rows(rows: list[dict[str, str]]) -> list[float]:
    """Return where rows lie on the axis of epochs: those of epochs at their numbers, others between these by steps."""
    longest = max((int(row["step"]) / int(row["epoch"]) for row in rows), default=1.0) or 1.0
    places, begun = [], 0
    for row in rows:
        epoch, step = int(row["epoch"]), int(row["step"])
        if row.get("train/loss"):
            places.append(float(epoch))
            begun = step
        else:
            places.append(epoch - 1 + min(1.0, (step - begun) / longest))
    return places
