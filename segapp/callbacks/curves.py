"""Learning curves: `metrics.csv`, one row per validation, and `curves.png` drawn from it."""

import csv
from pathlib import Path

import matplotlib
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from segapp.io import atomic_path

matplotlib.use("agg")


class Curves(Callback):
    """Appends every validation's scores to `metrics.csv` and redraws `curves.png`.

    A resumed run continues the file: rows after the step it resumes from are dropped, earlier ones stay.

    Args:
        folder: The run folder.
    """

    def __init__(self, folder: Path) -> None:
        self.csv = folder / "metrics.csv"
        self.png = folder / "curves.png"
        self._rows: list[dict[str, str]] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take up the rows of an interrupted run."""
        if self.csv.is_file():
            with self.csv.open(newline="") as file:
                self._rows = [row for row in csv.DictReader(file) if int(row["step"]) <= trainer.global_step]

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """One more row, once the epoch's validation and the mean training loss are known."""
        if not trainer.is_global_zero:
            return
        row = {"epoch": str(trainer.current_epoch), "step": str(trainer.global_step)}
        row["lr"] = f"{trainer.optimizers[0].param_groups[0]['lr']:.6g}"
        for name, value in sorted(trainer.callback_metrics.items()):
            if name.split("/")[0] in ("train", "val"):
                row[name.removesuffix("_epoch")] = f"{float(value):.6g}"
        self._rows = [old for old in self._rows if int(old["step"]) < trainer.global_step] + [row]
        write_rows(self.csv, self._rows)
        draw(self._rows, self.png)


def write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    """A CSV whose columns are all the keys that occur, in order of first appearance."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with atomic_path(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def draw(rows: list[dict[str, str]], path: Path) -> None:
    """Losses on the left, Dice per class on the right, over epochs."""
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    losses, dice = figure.subplots(1, 2)
    for name in ("train/loss", "val/loss"):
        _plot(losses, rows, name, label=name)
    losses.set(title="Loss", xlabel="epoch")
    names = list(dict.fromkeys(key for row in rows for key in row if key.startswith("val/dice/dataset")))
    for name in names[:12]:
        label = name.removeprefix("val/dice/dataset").lstrip("/") or "mean"
        _plot(dice, rows, name, label=label, linewidth=2.5 if label == "mean" else 1.2)
    dice.set(title="Validation Dice (whole set)", xlabel="epoch", ylim=(0, 1))
    for axes in (losses, dice):
        axes.grid(alpha=0.3)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if axes.lines:
            axes.legend(fontsize=8)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110)


def _plot(axes, rows: list[dict[str, str]], name: str, **style) -> None:  # type: ignore[no-untyped-def]
    points = [(int(row["epoch"]) + 1, float(row[name])) for row in rows if row.get(name)]
    if points:
        axes.plot(*zip(*points, strict=True), marker="o" if len(points) < 25 else None, markersize=3, **style)
