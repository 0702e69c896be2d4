"""The verdict of `segapp validate` and `segapp test`, on the screen and in files."""

import csv
import json
import math
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from segapp.io import atomic_path
from segapp.metrics import SCORES, BoundaryScore, ImageScores, SegmentationScores
from segapp.spec import Spec


class EvaluationReport(Callback):
    """Writes `metrics.json` and `per_image.csv` (after `test` also `confusion.csv`, sparse) and prints a table.

    Args:
        folder: A new folder, `<run>/<verb>-<n>`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """A test also keeps every image's confusion matrix, and scores the boundaries."""
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
        self._write_images(images, spec)
        if accumulator.keep_confusion:
            self._write_confusion(images, spec)
        print(table(scores, support, spec, len(images)))
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
            "checkpoint": None if trainer.ckpt_path is None else str(trainer.ckpt_path),  # None: a bundle was scored
            "images": images,
            "images_per_class": support,
            "classes": list(spec.classes),
            "background": None if spec.background is None else spec.classes[spec.background],
            "loss": None if loss is None else _plain(float(loss)),
            "scores": {name: _plain(value) for name, value in scores.items()},
            "confusion": total,
            "spec": spec.to_dict(),
        }
        with atomic_path(self.folder / "metrics.json") as path:
            path.write_text(json.dumps(verdict, indent=1))

    def _write_images(self, images: list[ImageScores], spec: Spec) -> None:
        header = ["name", *(f"{count}/{label}" for label in spec.classes for count in ("tp", "fp", "fn"))]
        if any(image.boundaries for image in images):
            header += [f"{score}/{label}" for label in spec.classes for score in BoundaryScore._fields]
        rows = [
            [
                image.name,
                *(image.counts[kind][k] for k in range(len(spec.classes)) for kind in range(3)),
                *("" if math.isnan(value) else f"{value:.6g}" for outline in image.boundaries for value in outline),
            ]
            for image in images
        ]
        _write_csv(self.folder / "per_image.csv", header, rows)

    def _write_confusion(self, images: list[ImageScores], spec: Spec) -> None:
        rows = [
            [image.name, spec.classes[truth], spec.classes[guess], count]
            for image in images
            for truth, guess, count in image.cells
        ]
        _write_csv(self.folder / "confusion.csv", ["name", "truth", "prediction", "pixels"], rows)


def table(scores: dict[str, float], support: dict[str, int], spec: Spec, images: int) -> str:
    """A readable table; `-` where a class was in neither truth nor prediction."""
    width = max(len(name) for name in (*spec.classes, "mean"))
    columns = [f"{score}/{over}" for score in SCORES for over in ("dataset", "image")]
    columns += [name for name in (f"{score}/image" for score in BoundaryScore._fields) if name in scores]
    lines = [
        f"{images} images",
        f"  {'class':<{width}}  " + "  ".join(f"{c:>{_width(c)}}" for c in columns) + "   images",
    ]
    for label in spec.classes:
        figures = "  ".join(f"{_figure(scores[f'{column}/{label}']):>{_width(column)}}" for column in columns)
        lines.append(f"  {label:<{width}}  {figures}  {support[label]:>7}")
    figures = "  ".join(f"{_figure(scores[column]):>{_width(column)}}" for column in columns)
    lines.append(f"  {'mean':<{width}}  {figures}")
    if spec.background is not None:
        lines.append(f"  (the mean leaves out {spec.classes[spec.background]}, the background)")
    if math.isnan(scores["dice/dataset"]):
        lines.append("  nothing to score: no class of the mean occurs in the truth or the predictions")
    return "\n".join(lines)


def _width(column: str) -> int:
    return max(12, len(column))


def _scores(pl_module: LightningModule) -> SegmentationScores:
    scores: SegmentationScores = pl_module.scores  # type: ignore[assignment]
    return scores


def _figure(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"


def _plain(value: float) -> float | None:
    """JSON has no NaN."""
    return None if math.isnan(value) else value


def _write_csv(path: Path, header: list[str], rows: list[list[Any]]) -> None:
    with atomic_path(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
