"""The results of `segapp validate` and `segapp test`, on the screen and in files."""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from segapp.io import write_atomically, write_table
from segapp.metrics import Evaluation
from segapp.spec import Spec
from segapp.terminal.text import for_terminal


class EvaluationReport(Callback):
    """Writes `metrics.json` and `per_image.csv` (after `test` also `confusion.csv`, sparse) and prints a table.

    Args:
        folder: A new folder, `<run>/<verb>-<n>`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report."""
        self._report(trainer, pl_module)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report."""
        self._report(trainer, pl_module)

    def _report(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking:
            return
        evaluation: Evaluation = pl_module.evaluation  # type: ignore[assignment]
        if not trainer.is_global_zero:
            return
        spec: Spec = pl_module.spec  # type: ignore[assignment]
        self._write_json(trainer, spec, evaluation)
        header, rows = evaluation.tabulate()
        write_table(self.folder / "per_image.csv", header, [list(map(_cell, row)) for row in rows])
        if pl_module.evaluator.keep_confusion:  # type: ignore[union-attr]
            self._write_confusion(evaluation)
        print(format_table(evaluation))
        print(f"written: {self.folder}")

    def _write_json(self, trainer: Trainer, spec: Spec, evaluation: Evaluation) -> None:
        loss = trainer.callback_metrics.get("val/loss", trainer.callback_metrics.get("test/loss"))
        results = {
            "checkpoint": self._relative(trainer.ckpt_path),  # None: a bundle was scored
            "images": len(evaluation.images),
            "images_per_class": evaluation.support,
            "classes": list(spec.classes),
            "background": None if spec.background is None else spec.classes[spec.background],
            "loss": None if loss is None else _to_json_number(float(loss)),
            "scores": {name: _to_json_number(value) for name, value in evaluation.flat.items()},
            "confusion": evaluation.confusion.tolist(),
            "spec": spec.to_dict(),
        }
        with write_atomically(self.folder / "metrics.json") as path:
            path.write_text(json.dumps(results, indent=1))

    def _relative(self, checkpoint: Any) -> str | None:
        """Return where a checkpoint lies, seen from the folder: it tells nothing of the machine, and moves with it."""
        return None if checkpoint is None else os.path.relpath(checkpoint, self.folder)

    def _write_confusion(self, evaluation: Evaluation) -> None:
        rows = [
            [image.name, evaluation.classes[target], evaluation.classes[guess], count]
            for image in evaluation.images
            for target, guess, count in image.cells
        ]
        write_table(self.folder / "confusion.csv", ["name", "truth", "prediction", "pixels"], rows)


def format_table(evaluation: Evaluation) -> str:
    """Format a readable table; `-` where a class was in neither target nor prediction."""
    names = [for_terminal(name) for name in evaluation.classes]
    support, images = evaluation.support, len(evaluation.images)
    width = max(len(name) for name in (*names, "mean"))
    lines = [
        f"{images} images",
        f"  {'class':<{width}}  " + "  ".join(f"{c:>{_measure_width(c)}}" for c in evaluation.values) + "   images",
    ]
    for index, name in enumerate(names):
        values = {column: value.per_class[index] for column, value in evaluation.values.items()}
        lines.append(f"  {name:<{width}}  {_format_row(values)}  {support[evaluation.classes[index]]:>7}")
    means = {column: value.mean for column, value in evaluation.values.items()}
    lines.append(f"  {'mean':<{width}}  {_format_row(means)}")
    if evaluation.background is not None:
        lines.append(f"  (the mean leaves out {names[evaluation.background]}, the background)")
    if any(count != images for count in support.values()):
        lines.append("  (the mean of …/image is over images, of each the mean over the classes that occur in it)")
    if math.isnan(means["dice/dataset"]):
        lines.append("  nothing to score: no class of the mean occurs in the truth or the predictions")
    return "\n".join(lines)


def _format_row(values: Mapping[str, float]) -> str:
    return "  ".join(f"{_format_score(value):>{_measure_width(column)}}" for column, value in values.items())


def _measure_width(column: str) -> int:
    return max(12, len(column))


def _format_score(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"


def _to_json_number(value: float) -> float | None:
    """Return None for NaN, which JSON does not have."""
    return None if math.isnan(value) else value


def _cell(value: str | float) -> str:
    """Return text unchanged, and a number to ten digits, counts in full; empty where there is none."""
    if isinstance(value, str):
        return value
    if math.isnan(value):
        return ""
    return str(int(value)) if value.is_integer() and abs(value) >= 1e10 else f"{value:.10g}"
