"""Fit a temperature to the validation images, and write a copy of the checkpoint that has it."""

from collections.abc import Callable
from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer

from segapp.checkpoints.checkpoint import read_checkpoint, write_checkpoint
from segapp.metrics.gathering import gather_objects
from segapp.metrics.temperature import HIGHEST, LOWEST, FittedTemperature, PixelSampler, fit_temperature
from segapp.spec import Spec


class FitTemperature(Callback):
    """Fits the temperature of a network during `segapp validate`, on process 0.

    Args:
        checkpoint: The checkpoint that is validated; it stays unchanged.
        output: The file for its copy.
        seed: Of the sample of pixels.
        report: Takes the messages.
    """

    def __init__(self, checkpoint: Path, output: Path, seed: int, report: Callable[[str], None]) -> None:
        self.checkpoint, self.output, self.seed, self.report = checkpoint, output, seed, report

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let the module sample pixels of every image; a collective."""
        images = sum(gather_objects(int(sum(trainer.num_val_batches))))
        spec: Spec = pl_module.spec  # type: ignore[assignment]
        pl_module.sampler = PixelSampler(images, spec.num_classes, self.seed)  # type: ignore[assignment]

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Fit, report and write; a collective."""
        sampler: PixelSampler = pl_module.sampler  # type: ignore[assignment]
        parts = gather_objects((sampler.samples, sampler.skipped))
        pl_module.sampler = None  # type: ignore[assignment]
        if not trainer.is_global_zero:
            return
        fitted = fit_temperature([one for samples, _ in parts for one in samples])
        self._write(fitted.temperature)
        self.report(format_fitted(fitted, sum(skipped for _, skipped in parts)))
        self.report(f"written: {self.output}, a copy of {self.checkpoint} with this temperature")

    def _write(self, temperature: float) -> None:
        checkpoint = read_checkpoint(self.checkpoint)
        checkpoint["segapp"]["temperature"] = temperature
        write_checkpoint(self.output, checkpoint)


def format_fitted(fitted: FittedTemperature, skipped: int) -> str:
    """Format a fitted temperature, what it changes, and what it was fitted to."""
    limited = not 1.01 * LOWEST < fitted.temperature < HIGHEST / 1.01
    text = (
        f"temperature {fitted.temperature:.4f}: the cross-entropy of {fitted.pixels:,} pixels sampled in "
        f"{fitted.images} validation images was {fitted.before:.4f} and is {fitted.after:.4f}"
    )
    text += f"; {skipped} images have classes that were not looked for and are left out" if skipped else ""
    return text + ("; this is the limit, so the sample is too easy, or too small, to fit one" if limited else "")
