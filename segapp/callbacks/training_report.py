"""Write the report of a training when it ends, however it ends, and send it to the loggers that take files."""

import math
import time
from pathlib import Path

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_info

from segapp.callbacks.stop_rules import EarlyEnd
from segapp.callbacks.trackers import log_best, log_report
from segapp.errors import SegappError
from segapp.report.training_page import Best, Session, write_training_page
from segapp.spec import Spec
from segapp.system.peak_memory import read_peak_bytes


class TrainingReport(Callback):
    """Writes `report.html` of a run: curves, samples, the plan, time and memory.

    It is written after the last step, and after an interruption or a failure too, unless a second Ctrl-C ends the
    process at once. A run that did no step has no report.

    Args:
        folder: The run folder.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "report.html"
        self._start = self._validation_start = 0.0
        self._first_step = 0
        self._in_validation = 0.0
        self._best: Best | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._start, self._first_step = time.monotonic(), trainer.global_step
        self._in_validation, self._best = 0.0, None

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Time validations apart from steps."""
        self._validation_start = time.monotonic()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add up their time, and keep the best score and its step."""
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        self._in_validation += time.monotonic() - self._validation_start
        score = float(trainer.callback_metrics.get("val/dice/dataset", math.nan))
        if score > (self._best.score if self._best else -math.inf):
            self._best = Best(score, trainer.current_epoch + 1, trainer.global_step)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the report of a run that ended by itself."""
        self._write(trainer, pl_module, _describe_end(trainer))

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Write the report of a run that was stopped or failed; a report that fails hides no error."""
        if not isinstance(exception, Exception):  # a second Ctrl-C
            return
        is_known = isinstance(exception, SegappError)
        try:
            self._write(trainer, pl_module, f"Ended early: {exception if is_known else type(exception).__name__}")
        except (OSError, SegappError) as error:
            rank_zero_info(f"{self.path} was not written: {error}")

    def _write(self, trainer: Trainer, pl_module: LightningModule, end: str) -> None:
        steps = trainer.global_step - self._first_step
        if not trainer.is_global_zero or not self._start or not steps or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        spec: Spec = pl_module.spec  # type: ignore[assignment]
        session = Session(
            end=end,
            first_step=self._first_step,
            steps=steps,
            seconds=time.monotonic() - self._start,
            validation_seconds=self._in_validation,
            best=self._best,
            peak_bytes=read_peak_bytes(),
            gpu_bytes=torch.cuda.max_memory_reserved(pl_module.device) if pl_module.device.type == "cuda" else None,
            device=_name_device(trainer, pl_module.device),
        )
        best = write_training_page(self.path, session, spec)
        for logger in trainer.loggers:
            if best is not None:
                log_best(logger, best.score, best.step)
            log_report(logger, self.path, trainer.global_step)


def _describe_end(trainer: Trainer) -> str:
    """Describe why a run that was not interrupted ended where it did."""
    early = [
        type(callback).__name__
        for callback in trainer.callbacks  # type: ignore[attr-defined]
        if isinstance(callback, EarlyEnd) and callback.end is not None and trainer.global_step >= callback.end
    ]
    steps = f"after {trainer.global_step:,} steps"
    return f"Ended by {' and '.join(early)} {steps}." if early else f"Finished {steps}."


def _name_device(trainer: Trainer, device: torch.device) -> str:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()
    return f"{trainer.world_size} × {name}" if trainer.world_size > 1 else name
