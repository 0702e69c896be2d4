"""The progress bar of training."""

import sys
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar
from lightning.pytorch.callbacks.progress.tqdm_progress import Tqdm, convert_inf


class ProgressBar(TQDMProgressBar):
    """Shows the running loss and the last validation's Dice, labelled as that; in a log file, a line now and then."""

    def __init__(self) -> None:
        super().__init__(refresh_rate=1 if sys.stderr.isatty() else 20)

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """The loss of this batch, and `last val dice`."""
        shown = {
            "loss": trainer.progress_bar_metrics.get("train/loss_step"),
            "last val dice": trainer.callback_metrics.get("val/dice/dataset"),
        }
        return {name: f"{float(value):.4f}" for name, value in shown.items() if value is not None}

    def on_train_epoch_start(self, trainer: Trainer, *rest: Any) -> None:
        """In place of Lightning's: epochs are counted from 1, as in `metrics.csv` and the pictures."""
        last = f" of {trainer.max_epochs}" if (trainer.max_epochs or 0) > 0 else ""
        self.train_progress_bar.set_description(f"Epoch {trainer.current_epoch + 1}{last}", refresh=False)
        self.train_progress_bar.reset(convert_inf(self.total_train_batches))
        self.train_progress_bar.initial = 0

    def init_validation_tqdm(self) -> Tqdm:
        """No second bar within a fit: it would scroll the first away."""
        bar = super().init_validation_tqdm()
        bar.disable = bar.disable or self.trainer.state.fn == "fit"
        return bar
