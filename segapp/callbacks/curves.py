"""Learning curves: `metrics.csv`, one row per epoch, and `curves.png`, plotted from it."""

from pathlib import Path

import matplotlib
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from segapp.io import read_table, write_atomically, write_table
from segapp.report.figures import use_defaults
from segapp.spec import Spec
from segapp.terminal.text import for_plot

matplotlib.use("agg")

LIGHTEST = 0.4
"""Luminance of a line on white: 1 is white itself, 0.4 a contrast of 2.3."""


class Curves(Callback):
    """Appends every epoch's losses, and the scores of its last validation, to `metrics.csv`; redraws `curves.png`.

    A resumed run continues the file: rows after the step it resumes from are dropped, earlier ones stay.

    Args:
        folder: The run folder.
    """

    def __init__(self, folder: Path) -> None:
        self.csv = folder / "metrics.csv"
        self.png = folder / "curves.png"
        self._rows: list[dict[str, str]] = []
        self._validated = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Read the rows of an interrupted run."""
        if self.csv.is_file():
            self._rows = [row for row in read_table(self.csv) if int(row["step"]) <= trainer.global_step]

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the scores; Lightning keeps them too, also over epochs without a validation."""
        self._validated = not trainer.sanity_checking

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write one more row, once the epoch's validation and the mean training loss are known."""
        if not trainer.is_global_zero:
            return
        row = {"epoch": str(trainer.current_epoch + 1), "step": str(trainer.global_step)}
        row["lr"] = f"{trainer.optimizers[0].param_groups[0]['lr']:.6g}"
        for name, value in sorted(trainer.callback_metrics.items()):
            stage = name.split("/")[0]
            if stage == "train" or (stage == "val" and self._validated):
                row[name.removesuffix("_epoch")] = f"{float(value):.6g}"
        self._validated = False
        self._rows = [old for old in self._rows if int(old["epoch"]) <= trainer.current_epoch] + [row]
        write_rows(self.csv, self._rows)
        spec: Spec = pl_module.spec  # type: ignore[assignment]
        with use_defaults():
            draw_curves(self._rows, self.png, spec)


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
    for name in ("train/loss", "val/loss"):
        _plot(losses, rows, name, label=name)
    losses.set(title="Loss", xlabel="epoch")
    counted = [name for index, name in enumerate(spec.classes) if index != spec.background]
    for name, colour in list(zip(spec.classes, spec.palette, strict=True))[:20]:
        alone = [name] == counted
        label, width = (f"{for_plot(name)} (the mean)", 2.5) if alone else (for_plot(name), 1.2)
        _plot(dice, rows, f"val/dice/dataset/{name}", label=label, color=_darken(colour), linewidth=width)
    if len(counted) > 1:
        _plot(dice, rows, "val/dice/dataset", label="mean", color="black", linewidth=2.5, linestyle="--")
    dice.set(title="Validation Dice (whole set)", xlabel="epoch", ylim=(0, 1))
    for axes in (losses, dice):
        axes.grid(alpha=0.3)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
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


def _plot(axes, rows: list[dict[str, str]], name: str, **style) -> None:  # type: ignore[no-untyped-def]
    points = [(int(row["epoch"]), float(row[name])) for row in rows if row.get(name)]
    if points:
        axes.plot(*zip(*points, strict=True), marker="o" if len(points) < 25 else None, markersize=3, **style)
