"""Keep the encoder unchanged while the rest of a network gets used to it."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.strategies import FSDPStrategy
from torch import nn

from segapp.errors import MisuseError
from segapp.models.rates import find_encoder


class FreezeEncoder(Callback):
    """Trains only what is not the encoder for the first epochs; its norms keep their statistics meanwhile.

    For weights from elsewhere (`pretrained`, `--init_from`), which the first large gradients of a new decoder would
    spoil. On one device the encoder's backward pass is spared; on several its gradients are dropped, because DDP waits
    for them. The optimiser, its schedule and EMA know all parameters from the beginning, so that nothing starts anew.

    Args:
        epochs: Epochs without training the encoder, 1 or more.
    """

    def __init__(self, epochs: int = 1) -> None:
        if epochs < 1:
            raise MisuseError(
                f"FreezeEncoder: epochs must be 1 or more, got {epochs}; leave the callback out to freeze nothing."
            )
        self.epochs = epochs
        self._parts: list[nn.Module] = []
        self._trainable: list[nn.Parameter] = []

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse a network without an encoder, and one whose parameters are sharded."""
        find_encoder(pl_module.net)  # type: ignore[arg-type]
        if isinstance(trainer.strategy, FSDPStrategy):
            raise MisuseError("FreezeEncoder needs whole parameters: leave it out with --trainer.strategy fsdp.")

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Find the encoder, once the optimiser has all its parameters."""
        self._parts = list(find_encoder(pl_module.net).values())  # type: ignore[arg-type]
        self._trainable = [value for part in self._parts for value in part.parameters() if value.requires_grad]

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Put the encoder into the state of this epoch: also after a validation, and in a resumed epoch."""
        frozen = self._is_frozen(trainer)
        for part in self._parts:
            part.train(not frozen)
        if trainer.world_size == 1:
            for value in self._trainable:
                value.requires_grad_(not frozen)
        if not frozen:
            self._parts = []
            self._trainable = []

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Any) -> None:
        """Leave no gradient to the optimiser, and none to the norm by which gradients are clipped."""
        if self._is_frozen(trainer):
            for value in self._trainable:
                value.grad = None

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave a network whose parameters are trainable as before."""
        for value in self._trainable:
            value.requires_grad_(True)

    def _is_frozen(self, trainer: Trainer) -> bool:
        return trainer.current_epoch < self.epochs
