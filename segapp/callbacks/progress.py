"""The progress bar of training."""

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar


class ProgressBar(TQDMProgressBar):
    """Shows the running loss and the last validation's Dice, labelled as that."""

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """The loss of this batch, and `last val dice`."""
        metrics = {"loss": trainer.progress_bar_metrics.get("train/loss")}
        metrics["last val dice"] = trainer.callback_metrics.get("val/dice/dataset")
        return {name: f"{float(value):.4f}" for name, value in metrics.items() if value is not None}
