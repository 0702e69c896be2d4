"""Exponential moving average of the weights."""

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor


class EMA(WeightAveraging):
    """Scores and keeps an exponential moving average of the weights; training goes on with the raw ones.

    The decay warms up, min(decay, (1 + n) / (10 + n)) after n updates, so that short runs are not held back by
    their initial weights. `best.ckpt` holds the averaged weights (those that were scored) as its `state_dict` and
    the raw ones beside, from which a resumed run continues.

    Args:
        decay: The share of the average that one update keeps, in [0, 1).
    """

    def __init__(self, decay: float = 0.999) -> None:
        super().__init__(use_buffers=True, multi_avg_fn=_WarmedAverage(decay))
        self._swapped = False  # in a validation the network holds the average, and the average the raw weights

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Average in the precision that the weights will have: Lightning converts them after this."""
        super().setup(trainer, pl_module, stage)
        if self._average_model is not None:
            trainer.precision_plugin.convert_module(self._average_model)

    def _swap_models(self, pl_module: LightningModule) -> None:
        super()._swap_models(pl_module)
        self._swapped = not self._swapped

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """The average as `state_dict`, the raw weights beside it, also in the middle of a validation."""
        super().on_save_checkpoint(trainer, pl_module, checkpoint)
        if self._swapped:
            average, raw = checkpoint["current_model_state"], checkpoint["state_dict"]
            checkpoint["state_dict"], checkpoint["current_model_state"] = average, raw

    def on_load_checkpoint(self, trainer, pl_module, checkpoint) -> None:  # type: ignore[no-untyped-def]
        """Only a fit continues an average; scoring a checkpoint takes its weights as they are."""
        if self._average_model is not None:
            super().on_load_checkpoint(trainer, pl_module, checkpoint)


class _WarmedAverage:
    """average ← decay · average + (1 - decay) · current, over whole lists of tensors at once."""

    def __init__(self, decay: float) -> None:
        self.decay = decay

    def __call__(self, averages: list[Tensor], currents: list[Tensor], updates: Tensor | int) -> None:
        count = int(updates)
        decay = min(self.decay, (1 + count) / (10 + count))
        if averages[0].is_floating_point():
            torch._foreach_lerp_(averages, currents, 1 - decay)
        else:  # counters, such as batch norm's num_batches_tracked
            torch._foreach_copy_(averages, currents)
