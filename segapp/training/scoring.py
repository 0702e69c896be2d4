"""The Lightning module that scores complete images: the base of those for networks and for bundles."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torchmetrics import MeanMetric

from segapp.batch import IGNORE_INDEX, Batch
from segapp.callbacks.run_record import RunRecord
from segapp.checkpoints.training_state import clear_foreign_paths, require_training_state
from segapp.inference.engine import Engine
from segapp.inference.ensemble import apply_temperature
from segapp.inference.postprocess import clean
from segapp.inference.readable_image import ArrayImage
from segapp.inference.runtime import Array, Runtime
from segapp.losses import DeepSupervision, PixelwiseLoss, list_partial_labels
from segapp.metrics import TEST_SCORES, BoundaryUnit, Evaluation, Score, ScoreCollector
from segapp.metrics.temperature import PixelSampler
from segapp.spec import Spec
from segapp.system.pickle_content import check_attributes


class ScoringModule(pl.LightningModule):
    """Scores complete images at their stored size, as `segapp predict` segments them.

    Args:
        spec: The classes, the windows and the postprocessing.
    """

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.spec = spec
        self.loss: nn.Module | None = None  # scores have one only where the module is trained with one
        self.collector = ScoreCollector(spec.classes, spec.background)
        self.unit = BoundaryUnit()  # in which a test measures distances
        self.more_scores: tuple[type[Score], ...] = ()  # of a test, beside those that it always has
        self.evaluation: Evaluation | None = None  # of the last validation or test
        self.sampler: PixelSampler | None = None  # where a temperature is fitted
        self.eval_loss = MeanMetric()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Check what Lightning restores of a checkpoint, for every method of the trainer: callbacks remove files by it.

        A `segapp fit` moves the paths of callbacks to its own folder (`RunRecord`); of others, the foreign are cleared.
        """
        if self._trainer is None:
            return
        file = Path(str(self.trainer.ckpt_path))
        check_attributes(file, checkpoint)
        require_training_state(file, checkpoint)
        callbacks: list[Any] = self.trainer.callbacks  # type: ignore[attr-defined]
        if not any(isinstance(callback, RunRecord) for callback in callbacks):
            kept = [callback.dirpath for callback in callbacks if isinstance(callback, ModelCheckpoint)]
            folders = (file.absolute().parent, self.trainer.default_root_dir, *kept)
            clear_foreign_paths(checkpoint, [Path(folder) for folder in folders if folder])

    @abstractmethod
    def make_runtime(self) -> Runtime:
        """Return the runtime that computes logits."""

    def make_collector(self, verb: str) -> ScoreCollector:
        """Make the collector of `validate`: Dice and IoU; of `test`: all scores, and every image's confusion matrix."""
        if verb == "validate":
            return ScoreCollector(self.spec.classes, self.spec.background)
        kinds = (*TEST_SCORES, *self.more_scores)
        return ScoreCollector(self.spec.classes, self.spec.background, kinds, keep_confusion=True, unit=self.unit)

    def on_validation_epoch_start(self) -> None:
        """Start an evaluation by Dice and IoU."""
        self._begin(self.make_collector("validate"))

    def on_test_epoch_start(self) -> None:
        """Start an evaluation that has all scores and keeps every image's confusion matrix."""
        self._begin(self.make_collector("test"))

    def validation_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:
        """Score one complete image; return its predicted class indices for the callbacks that draw them."""
        return {"prediction": self._score(batch)}

    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:
        """Score one complete image, its probabilities too."""
        return {"prediction": self._score(batch, calibration=True)}

    def predict_step(self, batch: Batch | Tensor | Sequence[Tensor], batch_idx: int) -> Tensor:
        """Return class indices (N, H, W) uint8 of a batch, or of images (N, C, H, W), as `segapp predict` does.

        Images are uint8, or float32 in [0, 1].
        """
        images = batch["image"] if isinstance(batch, dict) else batch
        images = images if isinstance(images, Tensor) else images[0]  # a TensorDataset gives lists
        engine = Engine(self.make_runtime(), self.spec)
        pixels = images.cpu().numpy().transpose(0, 2, 3, 1)
        return torch.stack([torch.from_numpy(engine.segment(ArrayImage(image))) for image in pixels])

    def on_validation_epoch_end(self) -> None:
        """Log the scores of the validation set."""
        self.log_scores("val")

    def on_test_epoch_end(self) -> None:
        """Log the scores of the test set."""
        self.log_scores("test")

    def log_scores(self, stage: str) -> dict[str, float]:
        """Log the scores with no collective but the metrics' own, once per epoch, and return them.

        Every process logs the same numbers.
        """
        self.evaluation = self.collector.compute()
        scores = {f"{stage}/{name}": value for name, value in self.evaluation.flat_brief.items()}
        if self.loss is not None:
            scores[f"{stage}/loss"] = float(self.eval_loss.compute())
        for name, score in scores.items():
            self.log(name, score, sync_dist=False, rank_zero_only=False)
        return scores

    def _begin(self, collector: ScoreCollector) -> None:
        self.collector, self.evaluation = collector, None
        self.eval_loss.reset()

    def _score(self, batch: Batch, calibration: bool = False) -> np.ndarray:
        """Segment the batch's one image band by band; count it, and weight each band's loss by its valid pixels."""
        engine = Engine(self.make_runtime(), self.spec)
        image = ArrayImage(batch["image"][0].cpu().numpy().transpose(1, 2, 0), batch["name"][0])
        mask, looked_for = batch["mask"][0], batch.get("looked_for")
        known = None if looked_for is None else looked_for[0].cpu()
        prediction, confidence = np.empty(mask.shape, np.uint8), 0.0
        if self.sampler is not None:
            self.sampler.begin(image.name, mask.cpu().numpy(), known)
        for band in engine.compute_bands(image):
            rows = slice(band.y, band.y + band.logits.shape[1])
            if self.loss is not None:
                self._add_loss(self.loss, band.logits, mask[rows].to(band.logits.device), looked_for)
            if self.sampler is not None:
                self.sampler.add(band.y, band.logits)
            if calibration:
                confidence += self._count_probabilities(engine.runtime, band.logits, mask[rows], known)
            prediction[rows] = engine.compute_indices(band)
        prediction = clean(prediction, self.spec)
        confidence = confidence / prediction.size if calibration else math.nan
        sizes = batch.get("pixel_size", [None])
        self.collector.update(torch.from_numpy(prediction), mask.cpu(), batch["name"][0], known, confidence, sizes[0])
        return prediction

    def _count_probabilities(self, runtime: Runtime, logits: Array, target: Tensor, looked_for: Tensor | None) -> float:
        """Count the probabilities of a band (K, h, W), and where the network has a temperature, those without it.

        Return the sum over all pixels of the probability of the predicted class, at the temperature.
        """
        confidences = {}
        for temperature in sorted({1.0, runtime.temperature}):
            softened = apply_temperature(logits, temperature)
            found = torch.as_tensor(runtime.compute_probabilities(softened[None])[0])
            self.collector.count_probabilities(found, target.to(found.device), looked_for, temperature)
            confidences[temperature] = float(found.amax(0).sum(dtype=torch.float64))
        return confidences[runtime.temperature]

    def _add_loss(self, loss: nn.Module, logits: Tensor, target: Tensor, looked_for: Tensor | None) -> None:
        """Add the loss of a band (K, h, W), weighted by its number of valid pixels.

        A loss that is a mean over weighted pixels is weighted by its divisor.
        """
        loss = loss.loss if isinstance(loss, DeepSupervision) else loss
        known = None if looked_for is None else looked_for.to(logits.device)
        partial = list_partial_labels(loss, known, self.spec.background)
        logits, target = logits[None], target[None].long()
        weight: Tensor = (target != IGNORE_INDEX).sum()
        if isinstance(loss, PixelwiseLoss):
            total, weight = loss.compute_sums(logits, target, *partial)
        if weight > 0:
            value = total / weight if isinstance(loss, PixelwiseLoss) else loss(logits, target, *partial)
            self.eval_loss.update(value, weight)
