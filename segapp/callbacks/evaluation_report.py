"""Print the results of `segapp validate` and `segapp test`, and write them to files."""

import json
import math
import os
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from segapp.io import write_atomically, write_table
from segapp.metrics import Evaluation
from segapp.spec import Spec


class EvaluationReport(Callback):
    """Writes `metrics.json` and `per_image.csv` (after `test` also `confusion.csv`, sparse) and prints a table.

    Where images are slices of volumes, the scores of the volumes too: `per_volume.csv`.

    Args:
        folder: A new folder, `<run>/<verb>-<n>`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print and write the results."""
        self._report(trainer, pl_module)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print and write the results."""
        self._report(trainer, pl_module)

    def _report(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking:
            return
        evaluation: Evaluation = pl_module.evaluation  # type: ignore[assignment]
        if not trainer.is_global_zero:
            return
        spec: Spec = pl_module.spec  # type: ignore[assignment]
        volumes = evaluation.sum_volumes()
        self._write_json(trainer, spec, evaluation, volumes)
        self._write_rows("per_image.csv", evaluation)
        if volumes is not None:
            self._write_rows("per_volume.csv", volumes)
        if pl_module.collector.keep_confusion:  # type: ignore[union-attr]
            self._write_confusion(evaluation)
        print(evaluation)
        if volumes is not None:
            scores = _name_volume_scores(volumes)
            print(f"{len(volumes.images)} volumes: Dice {scores['dice/volume']:.3f}, IoU {scores['iou/volume']:.3f}")
        print(f"written: {self.folder}")

    def _write_rows(self, name: str, evaluation: Evaluation) -> None:
        header, rows = evaluation.tabulate()
        write_table(self.folder / name, header, [list(map(_format_cell, row)) for row in rows])

    def _write_json(self, trainer: Trainer, spec: Spec, evaluation: Evaluation, volumes: Evaluation | None) -> None:
        loss = trainer.callback_metrics.get("val/loss", trainer.callback_metrics.get("test/loss"))
        results: dict[str, Any] = {
            "checkpoint": self._make_relative(trainer.ckpt_path),  # None: a bundle was scored
            "images": len(evaluation.images),
            "images_per_class": evaluation.support,
            "classes": list(spec.classes),
            "background": None if spec.background is None else spec.classes[spec.background],
            "loss": None if loss is None else _to_json_number(float(loss)),
            "scores": {name: _to_json_number(value) for name, value in evaluation.flat.items()},
            "confusion": evaluation.confusion.tolist(),
            "spec": spec.to_dict(),
        }
        if volumes is not None:
            scores = {name: _to_json_number(value) for name, value in _name_volume_scores(volumes).items()}
            results["volumes"] = {"count": len(volumes.images), "scores": scores}
        with write_atomically(self.folder / "metrics.json") as path:
            path.write_text(json.dumps(results, indent=1))

    def _make_relative(self, checkpoint: Any) -> str | None:
        """Return a checkpoint's path relative to the folder, so that it names no folder of the machine."""
        return None if checkpoint is None else os.path.relpath(checkpoint, self.folder)

    def _write_confusion(self, evaluation: Evaluation) -> None:
        rows = [
            [image.name, evaluation.classes[target], evaluation.classes[predicted], count]
            for image in evaluation.images
            for target, predicted, count in image.cells
        ]
        write_table(self.folder / "confusion.csv", ["name", "truth", "prediction", "pixels"], rows)


def _name_volume_scores(volumes: Evaluation) -> dict[str, float]:
    """Return the means over volumes: `dice/volume`, `dice/volume/<class>`, `iou/volume`, …."""
    return {
        name.replace("/image", "/volume", 1): value
        for name, value in volumes.flat.items()
        if name.split("/")[1] == "image"
    }


def _to_json_number(value: float) -> float | None:
    """Return None for NaN, which JSON does not have."""
    return None if math.isnan(value) else value


def _format_cell(value: str | float) -> str:
    """Return text unchanged, and a number to ten digits, counts in full; empty where there is none."""
    if isinstance(value, str):
        return value
    if math.isnan(value):
        return ""
    return str(int(value)) if value.is_integer() and abs(value) >= 1e10 else f"{value:.10g}"
