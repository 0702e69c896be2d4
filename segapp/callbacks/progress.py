"""Show the progress of training: a bar in a terminal, lines in a log file."""

import sys
import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar
from lightning.pytorch.callbacks.progress.tqdm_progress import Tqdm, convert_inf

LINE_EVERY_SECONDS = 60.0
"""Between the lines within an epoch; its end always has one."""


class ProgressBar(TQDMProgressBar):
    """Shows the running loss and the last validation's Dice, labelled as that.

    Where output is no terminal there are no bars, which would leave each of their states twice and more in a file, but
    a line for each epoch and for each minute within one.
    """

    def __init__(self) -> None:
        super().__init__()
        self._logs = not sys.stdout.isatty()
        self._logged = time.monotonic()
        self._done = 0
        self._epoch_batches: int | float = 0
        if self._logs:
            self.disable()

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Let one process write the lines, as it shows the bars."""
        super().setup(trainer, pl_module, stage)
        self._logs = self._logs and trainer.is_global_zero

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """Return the loss of this batch, and `last val dice`."""
        shown = {
            "loss": trainer.progress_bar_metrics.get("train/loss_step"),
            "last val dice": trainer.callback_metrics.get("val/dice/dataset"),
        }
        return {name: f"{float(value):.4f}" for name, value in shown.items() if value is not None}

    def on_train_start(self, trainer: Trainer, *rest: Any) -> None:
        """Make the bar; within an epoch that is resumed, Lightning does not call `on_train_epoch_start`."""
        super().on_train_start(trainer, *rest)
        self._begin_epoch(trainer, trainer.fit_loop.epoch_loop.batch_progress.current.ready)

    def on_train_epoch_start(self, trainer: Trainer, *rest: Any) -> None:
        """Do what Lightning does, with epochs counted from 1, as in `metrics.csv` and the figures."""
        self._begin_epoch(trainer, 0)

    def _begin_epoch(self, trainer: Trainer, done: int) -> None:
        total = self.total_train_batches  # read once: Lightning subtracts later what is done by then
        self._done = done
        self._epoch_batches = min(total + done, trainer.num_training_batches)
        self.train_progress_bar.set_description(_format_epoch(trainer), refresh=False)
        self.train_progress_bar.reset(convert_inf(self._epoch_batches))
        self.train_progress_bar.initial = self.train_progress_bar.n = done
        self._logged = time.monotonic()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Advance the bar, or write a line once a minute."""
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        self._done = batch_idx + 1
        if self._logs and time.monotonic() - self._logged >= LINE_EVERY_SECONDS:
            self._write_line(trainer, pl_module, f"{self._done} of {self._epoch_batches} batches")

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave the bar unchanged, or write the epoch's line."""
        self.get_metrics(trainer, pl_module)  # in every process: the epoch's loss is gathered where it is read first
        super().on_train_epoch_end(trainer, pl_module)
        if self._logs:
            self._write_line(trainer, pl_module, f"{self._done} batches")

    def _write_line(self, trainer: Trainer, pl_module: LightningModule, what: str) -> None:
        metrics = [f"{name} {value}" for name, value in self.get_metrics(trainer, pl_module).items()]
        sys.stdout.write(f"{_format_epoch(trainer)}: {', '.join([what, *metrics])}\n")
        sys.stdout.flush()  # so that `tail -f` shows it at once
        self._logged = time.monotonic()

    def init_validation_tqdm(self) -> Tqdm:
        """Make no second bar within a fit: it would scroll the first away."""
        bar = super().init_validation_tqdm()
        bar.disable = bar.disable or self.trainer.state.fn == "fit"
        return bar


def _format_epoch(trainer: Trainer) -> str:
    last = f" of {trainer.max_epochs}" if (trainer.max_epochs or 0) > 0 else ""
    return f"Epoch {trainer.current_epoch + 1}{last}"
