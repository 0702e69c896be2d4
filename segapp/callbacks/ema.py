"""Exponential moving average of the weights."""

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from segapp.errors import MisuseError


class EMA(WeightAveraging):
    """Scores and keeps an exponential moving average of the weights; training continues with the raw ones.

    The decay warms up, min(decay, (1 + n) / (10 + n)) after n updates, so that short runs are not held back by
    their initial weights. `best.ckpt` holds the averaged weights (those that were scored) as its `state_dict` and
    the raw ones beside, from which a resumed run continues.

    Args:
        decay: The fraction of the average that one update keeps, in [0, 1).
    """

    def __init__(self, decay: float = 0.999) -> None:
        if not 0 <= decay < 1:
            raise MisuseError(f"EMA: decay must be in [0, 1), got {decay}.")
        super().__init__(use_buffers=True)
        self.decay = decay
        self._swapped = False  # in a validation the network holds the average, and the average the raw weights
        self._updates = 0
        self._weights: tuple[list[Tensor], list[Tensor]] = [], []
        self._buffers: list[tuple[dict[str, Tensor | None], dict[str, Tensor | None]]] = []

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Move and convert the average as Lightning moves and converts the weights after this."""
        super().setup(trainer, pl_module, stage)
        if self._average_model is not None:
            trainer.precision_plugin.convert_module(self._average_model)
            self._average_model.to(trainer.strategy.root_device)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Pair the tensors to average, once: torch's `update_parameters` does it at every step, a third of its time.

        The number of updates is kept here as well, since reading it from a GPU would wait for all its work.
        """
        average: AveragedModel = self._average_model  # type: ignore[assignment]
        self._updates = int(average.n_averaged)
        self._weights = list(average.module.parameters()), list(pl_module.parameters())
        modules = average.module.named_modules()
        # Dictionaries, not their tensors: a module may put a new tensor in the place of a buffer.
        self._buffers = [(part._buffers, pl_module.get_submodule(name)._buffers) for name, part in modules]

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *rest: Any) -> None:
        """Update after every optimiser step."""
        if trainer.global_step > self._latest_update_step:
            self._update()
            self._latest_update_step = trainer.global_step

    @torch.no_grad()
    def _update(self) -> None:
        """Update average ← decay · average + (1 - decay) · current, the first time a copy.

        Counters are always copied.
        """
        averages, currents = [*self._weights[0]], [*self._weights[1]]
        counters: tuple[list[Tensor], list[Tensor]] = [], []  # such as batch norm's num_batches_tracked
        for average, current in self._buffers:
            for name, value in average.items():
                if value is not None and (other := current[name]) is not None:
                    own, others = (averages, currents) if value.is_floating_point() else counters
                    own.append(value)
                    others.append(other)
        decay = min(self.decay, (1 + self._updates) / (10 + self._updates)) if self._updates else 0.0
        torch._foreach_lerp_(averages, currents, 1 - decay)
        if counters[0]:
            torch._foreach_copy_(*counters)
        self._updates += 1
        self._average_model.n_averaged.fill_(self._updates)  # type: ignore[union-attr]

    def _swap_models(self, pl_module: LightningModule) -> None:
        super()._swap_models(pl_module)
        self._swapped = not self._swapped

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Save the average as `state_dict`, and the raw weights beside it, also in the middle of a validation."""
        super().on_save_checkpoint(trainer, pl_module, checkpoint)
        if self._swapped:
            average, raw = checkpoint["current_model_state"], checkpoint["state_dict"]
            checkpoint["state_dict"], checkpoint["current_model_state"] = average, raw

    def on_load_checkpoint(self, trainer, pl_module, checkpoint) -> None:  # type: ignore[no-untyped-def]
        """Restore the average in a fit only; scoring a checkpoint takes its weights unchanged."""
        if self._average_model is not None:
            super().on_load_checkpoint(trainer, pl_module, checkpoint)
