"""The verdict of `segapp validate` and `segapp test`, on the screen and in files."""

import json
import math
import os
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from segapp.io import write_atomically, write_table
from segapp.metrics import SCORES, BoundaryScore, ImageScores, SegmentationScores, mean_over_classes
from segapp.spec import Spec
from segapp.terminal.text import for_terminal

COUNTS = ("tp", "fp", "fn")


class EvaluationReport(Callback):
    """Writes `metrics.json` and `per_image.csv` (after `test` also `confusion.csv`, sparse) and prints a table.

    Args:
        folder: A new folder, `<run>/<verb>-<n>`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep every image's confusion matrix in a test, and score the boundaries."""
        _scores(pl_module).keep_confusion = True
        _scores(pl_module).keep_boundaries = True

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report."""
        self._report(trainer, pl_module)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report."""
        self._report(trainer, pl_module)

    def _report(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking:
            return
        accumulator = _scores(pl_module)
        total, images = accumulator.gathered()
        if not trainer.is_global_zero:
            return
        spec: Spec = pl_module.spec  # type: ignore[assignment]
        scores = accumulator.scores(total, images)
        support = accumulator.support(images)
        self._write_json(trainer, spec, scores, support, total.tolist(), len(images))
        self._write_images(images, accumulator)
        if accumulator.keep_confusion:
            self._write_confusion(images, spec)
        print(format_table(scores, support, spec, len(images)))
        print(f"written: {self.folder}")

    def _write_json(
        self,
        trainer: Trainer,
        spec: Spec,
        scores: dict[str, float],
        support: dict[str, int],
        total: list[list[int]],
        images: int,
    ) -> None:
        loss = trainer.callback_metrics.get("val/loss", trainer.callback_metrics.get("test/loss"))
        verdict = {
            "checkpoint": self._relative(trainer.ckpt_path),  # None: a bundle was scored
            "images": images,
            "images_per_class": support,
            "classes": list(spec.classes),
            "background": None if spec.background is None else spec.classes[spec.background],
            "loss": None if loss is None else _to_json_number(float(loss)),
            "scores": {name: _to_json_number(value) for name, value in scores.items()},
            "confusion": total,
            "spec": spec.to_dict(),
        }
        with write_atomically(self.folder / "metrics.json") as path:
            path.write_text(json.dumps(verdict, indent=1))

    def _relative(self, checkpoint: Any) -> str | None:
        """Return where a checkpoint lies, seen from the folder: it tells nothing of the machine, and moves with it."""
        return None if checkpoint is None else os.path.relpath(checkpoint, self.folder)

    def _write_images(self, images: list[ImageScores], scores: SegmentationScores) -> None:
        """Write every image's scores: the means over its classes, then per class counts and scores."""
        values, classes = scores.values(images), range(len(scores.classes))
        means = torch.stack([mean_over_classes(each, scores.background) for each in values.values()], dim=1)
        by_class = torch.stack(list(values.values()), dim=2)  # (images, classes, scores)
        columns = (*COUNTS, *values)
        header = ["name", *values, *(f"{column}/{label}" for label in scores.classes for column in columns)]
        rows = []
        for image, mean, per_class in zip(images, means.tolist(), by_class.tolist(), strict=True):
            row: list[object] = [image.name, *map(_cell, mean)]
            for k in classes:
                row += [*(image.counts[kind][k] for kind in range(len(COUNTS))), *map(_cell, per_class[k])]
            rows.append(row)
        write_table(self.folder / "per_image.csv", header, rows)

    def _write_confusion(self, images: list[ImageScores], spec: Spec) -> None:
        rows = [
            [image.name, spec.classes[truth], spec.classes[guess], count]
            for image in images
            for truth, guess, count in image.cells
        ]
        write_table(self.folder / "confusion.csv", ["name", "truth", "prediction", "pixels"], rows)


def format_table(scores: dict[str, float], support: dict[str, int], spec: Spec, images: int) -> str:
    """Format a readable table; `-` where a class was in neither target nor prediction."""
    names = [for_terminal(name) for name in spec.classes]
    width = max(len(name) for name in (*names, "mean"))
    columns = [f"{score}/{over}" for score in SCORES for over in ("dataset", "image")]
    columns += [name for name in (f"{score}/image" for score in BoundaryScore._fields) if name in scores]
    lines = [
        f"{images} images",
        f"  {'class':<{width}}  " + "  ".join(f"{c:>{_measure_width(c)}}" for c in columns) + "   images",
    ]
    for name, label in zip(names, spec.classes, strict=True):
        figures = "  ".join(
            f"{_format_score(scores[f'{column}/{label}']):>{_measure_width(column)}}" for column in columns
        )
        lines.append(f"  {name:<{width}}  {figures}  {support[label]:>7}")
    figures = "  ".join(f"{_format_score(scores[column]):>{_measure_width(column)}}" for column in columns)
    lines.append(f"  {'mean':<{width}}  {figures}")
    if spec.background is not None:
        lines.append(f"  (the mean leaves out {names[spec.background]}, the background)")
    if any(support[label] != images for label in spec.classes):
        lines.append("  (the mean of …/image is over images, of each the mean over the classes that occur in it)")
    if math.isnan(scores["dice/dataset"]):
        lines.append("  nothing to score: no class of the mean occurs in the truth or the predictions")
    return "\n".join(lines)


def _measure_width(column: str) -> int:
    return max(12, len(column))


def _scores(pl_module: LightningModule) -> SegmentationScores:
    scores: SegmentationScores = pl_module.scores  # type: ignore[assignment]
    return scores


def _format_score(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"


def _to_json_number(value: float) -> float | None:
    """Return None for NaN, which JSON does not have."""
    return None if math.isnan(value) else value


def _cell(value: float) -> str:
    """Return a score as a table holds it: to ten digits, or empty where there is none."""
    return "" if math.isnan(value) else f"{value:.10g}"
