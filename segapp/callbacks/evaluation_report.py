"""Print the results of `segapp validate` and `segapp test`, and write them to files."""

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from segapp import __version__
from segapp.batch import Batch
from segapp.io import write_table
from segapp.loading.datamodule import SegmentationDataModule
from segapp.metrics import (
    Evaluation,
    ScoreCollector,
    average_over_classes,
    describe_review,
    format_calibration,
    format_review,
)
from segapp.metrics.gathering import gather_objects
from segapp.models.licences import describe_licence
from segapp.report.cases import Case, CaseKeeper, choose_cases, draw_case
from segapp.report.evaluation_figures import list_image_scores
from segapp.report.evaluation_files import (
    convert_scores,
    describe_evaluation,
    name_volume_scores,
    write_json,
    write_rows,
)
from segapp.report.evaluation_intervals import estimate_intervals
from segapp.report.evaluation_page import PageContent, write_page
from segapp.report.pixels import ImageProperties, measure_properties
from segapp.spec import Spec
from segapp.system.yaml_files import format_yaml


class EvaluationReport(Callback):
    """Writes `metrics.json` and `per_image.csv`, after `test` also `confusion.csv` and `report.html`; prints a table.

    Where images are slices of volumes, the scores of the volumes too: `per_volume.csv`.

    Args:
        folder: A new folder, `<run>/<verb>-<n>`.
        config: The settings of the run, for the report; default: it shows none.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any] | None = None) -> None:
        self.folder, self.config = folder, config or {}
        self._keeper = CaseKeeper()
        self._properties: dict[str, ImageProperties] = {}

    def on_test_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the images of another test."""
        self._keeper, self._properties = CaseKeeper(), {}

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Measure the image, and keep its pictures if it is among the worst, median and best ones."""
        spec: Spec = pl_module.spec  # type: ignore[assignment]
        image, mask, name = batch["image"][0].cpu().numpy(), batch["mask"][0].cpu().numpy(), batch["name"][0]
        self._properties[name] = measure_properties(image)
        score = _score_last_image(pl_module.collector)  # type: ignore[arg-type]
        self._keeper.offer(name, score, lambda: draw_case(name, score, image, mask, outputs["prediction"], spec))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print and write the results."""
        self._report(trainer, pl_module)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print and write the results, with the pictures that all processes kept."""
        parts = gather_objects((list(self._keeper.cases.values()), self._properties))
        self._properties = {name: one for _, properties in parts for name, one in properties.items()}
        self._report(trainer, pl_module, [case for cases, _ in parts for case in cases])

    def _report(self, trainer: Trainer, pl_module: LightningModule, cases: list[Case] | None = None) -> None:
        """Print and write the results; those of a test have cases."""
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        evaluation: Evaluation = pl_module.evaluation  # type: ignore[assignment]
        spec: Spec = pl_module.spec  # type: ignore[assignment]
        volumes = evaluation.sum_volumes()
        results = self._describe(trainer, spec, evaluation, volumes)
        content = None
        if cases is not None:
            content = self._make_content(trainer, pl_module, results, cases)
            results["intervals"] = {name: list(ends) for name, ends in content.intervals.items()}
        write_json(self.folder / "metrics.json", results)
        write_rows(self.folder / "per_image.csv", *self._tabulate(evaluation))
        if volumes is not None:
            write_rows(self.folder / "per_volume.csv", *volumes.tabulate())
        if pl_module.collector.keep_confusion:  # type: ignore[union-attr]
            self._write_confusion(evaluation)
        if content is not None:
            write_page(self.folder, content)
        self._print(evaluation, volumes, results)

    def _print(self, evaluation: Evaluation, volumes: Evaluation | None, results: Mapping[str, Any]) -> None:
        print(evaluation)
        if "calibration" in results:
            print(f"calibration: {format_calibration(results['calibration'])}")
        if len(evaluation.images) > 1 and (review := describe_review(evaluation)) is not None:
            print(format_review(review))
        if volumes is not None:
            scores = name_volume_scores(volumes)
            print(f"{len(volumes.images)} volumes: Dice {scores['dice/volume']:.3f}, IoU {scores['iou/volume']:.3f}")
        print(f"written: {self.folder}")

    def _make_content(
        self, trainer: Trainer, pl_module: LightningModule, results: Mapping[str, Any], cases: list[Case]
    ) -> PageContent:
        evaluation: Evaluation = pl_module.evaluation  # type: ignore[assignment]
        groups = self._list_groups(trainer, evaluation)
        return PageContent(
            evaluation=evaluation,
            spec=pl_module.spec,  # type: ignore[arg-type]
            groups=groups,
            intervals=estimate_intervals(evaluation, groups),
            volumes=evaluation.sum_volumes(),
            cases=choose_cases(cases, list_image_scores(evaluation)["dice"].tolist()),
            properties=self._properties,
            loss=results["loss"],
            calibration=results.get("calibration"),
            facts=self._list_facts(results["checkpoint"], str(pl_module.device)),
            config=format_yaml(self._select_settings()) if self.config else "",
        )

    def _tabulate(self, evaluation: Evaluation) -> tuple[list[str], list[list[Any]]]:
        """Return the table of images; after a test with the images' properties."""
        header, rows = evaluation.tabulate()
        if self._properties:
            header += [f"image/{name}" for name in ImageProperties._fields]
            rows = [[*row, *map(float, self._properties[row[0]])] for row in rows]
        return header, rows

    def _list_groups(self, trainer: Trainer, evaluation: Evaluation) -> list[str]:
        """List the group of every image; its name where the data are not of a data module."""
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        known = data.group_names("test") if isinstance(data, SegmentationDataModule) else {}
        return [known.get(image.name, image.name) for image in evaluation.images]

    def _select_settings(self) -> dict[str, Any]:
        """Select what decided the scores: no settings of the machine, and none of loggers."""
        settings = {name: self.config[name] for name in ("seed_everything", "model", "data") if name in self.config}
        trainer = self.config.get("trainer", {})
        return settings | {"trainer": {name: trainer[name] for name in ("precision",) if name in trainer}}

    def _list_facts(self, checkpoint: str | None, device: str) -> dict[str, str]:
        return {
            "checkpoint": checkpoint or "a bundle",
            "licence of the weights": describe_licence(self.config.get("model"), self.config.get("init_from")),
            "segapp": __version__,
            "PyTorch": torch.__version__,
            "Lightning": lightning.__version__,
            "Python": platform.python_version(),
            "device": device,
        }

    def _describe(
        self, trainer: Trainer, spec: Spec, evaluation: Evaluation, volumes: Evaluation | None
    ) -> dict[str, Any]:
        """Return what metrics.json holds of every evaluation."""
        loss = trainer.callback_metrics.get("val/loss", trainer.callback_metrics.get("test/loss"))
        results: dict[str, Any] = {
            "checkpoint": self._make_relative(trainer.ckpt_path),  # None: a bundle was scored
            **describe_evaluation(evaluation),
            "loss": None if loss is None else convert_scores({"loss": float(loss)})["loss"],
            "spec": spec.to_dict(),
        }
        if volumes is not None:
            scores = convert_scores(name_volume_scores(volumes))
            results["volumes"] = {"count": len(volumes.images), "scores": scores}
        return results

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


def _score_last_image(collector: ScoreCollector) -> float:
    """Return the mean Dice over the classes of the image that was added last."""
    rows = torch.tensor(collector.images[-1].rows[0])
    return float(average_over_classes(collector.scores[0].measure(rows[None])["dice"], collector.background))
