"""Print the results of `segapp validate` and `segapp test`, and write them to files."""

import os
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from segapp.io import write_table
from segapp.metrics import Evaluation, describe_calibration, describe_review, format_calibration, format_review
from segapp.report.evaluation_files import convert_scores, describe_evaluation, write_json, write_rows
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
        if evaluation.calibration:
            described = describe_calibration(evaluation.calibration, evaluation.classes, evaluation.background)
            print(f"calibration: {format_calibration(described)}")
        if len(evaluation.images) > 1 and (review := describe_review(evaluation)) is not None:
            print(format_review(review))
        if volumes is not None:
            scores = _name_volume_scores(volumes)
            print(f"{len(volumes.images)} volumes: Dice {scores['dice/volume']:.3f}, IoU {scores['iou/volume']:.3f}")
        print(f"written: {self.folder}")

    def _write_rows(self, name: str, evaluation: Evaluation) -> None:
        write_rows(self.folder / name, *evaluation.tabulate())

    def _write_json(self, trainer: Trainer, spec: Spec, evaluation: Evaluation, volumes: Evaluation | None) -> None:
        loss = trainer.callback_metrics.get("val/loss", trainer.callback_metrics.get("test/loss"))
        results: dict[str, Any] = {
            "checkpoint": self._make_relative(trainer.ckpt_path),  # None: a bundle was scored
            **describe_evaluation(evaluation),
            "loss": None if loss is None else convert_scores({"loss": float(loss)})["loss"],
            "spec": spec.to_dict(),
        }
        if volumes is not None:
            scores = convert_scores(_name_volume_scores(volumes))
            results["volumes"] = {"count": len(volumes.images), "scores": scores}
        write_json(self.folder / "metrics.json", results)

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
