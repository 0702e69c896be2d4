"""Stop a run whose loss, weights or running statistics are not finite, before they reach a checkpoint."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from segapp.callbacks.keep_checkpoints import LastCheckpoint
from segapp.errors import SegappError

_HALF_PRECISION_STEPS = 50
"""16-mixed skips a step whose gradients overflow and halves its scale: from 2¹⁶ that is up to 16 steps in a row."""


class StopAtNaN(Callback):
    """Ends a fit whose loss, weights or buffers are NaN or infinite; a checkpoint with such is never written.

    The loss is tested on its device and the result kept there. On a CPU it is read every step, at no cost; reading from
    a GPU waits for its work, so it is read with every `trainer.log_every_n_steps`-th step, when the loggers read the
    loss, and before a validation. Weights are tested only before they are scored or written, and so are buffers: in
    fp16 a step that overflowed is skipped, but batch norm's running statistics have seen it.

    Args:
        last: The callback whose file holds the last good weights.
    """

    def __init__(self, last: LastCheckpoint) -> None:
        self.last = last
        self._streak: Tensor | None = None  # how many losses in a row were not finite, on their device

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count a loss that is not finite, and check the count when that is free."""
        loss = outputs["loss"].detach()
        streak = self._streak if self._streak is not None else torch.zeros((), dtype=torch.int64, device=loss.device)
        self._streak = (streak + 1) * ~loss.isfinite()
        every = trainer.log_every_n_steps  # type: ignore[attr-defined]
        if loss.device.type == "cpu" or (every and (batch_idx + 1) % every == 0):
            self._check_losses(trainer, batch["name"] if loss.device.type == "cpu" else ())

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check before anything is scored."""
        if not trainer.sanity_checking:
            self._check_losses(trainer)
            self._check_weights(trainer, pl_module)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Check before anything is written."""
        self._check_losses(trainer)
        self._check_weights(trainer, pl_module)

    def _check_losses(self, trainer: Trainer, names: Any = ()) -> None:
        limit = _HALF_PRECISION_STEPS if trainer.precision == "16-mixed" else 1
        streak = 0 if self._streak is None else int(self._streak)
        if streak >= limit:
            images = f", images {', '.join(names[:4])}{' …' if len(names) > 4 else ''}" if len(names) else ""
            at = max(trainer.global_step - (streak - 1) // trainer.accumulate_grad_batches, 1)
            raise self._make_error(trainer, f"the loss is not a number (NaN or infinite) since step {at}{images}")

    def _check_weights(self, trainer: Trainer, pl_module: LightningModule) -> None:
        buffers = [buffer for buffer in pl_module.buffers() if buffer.is_floating_point()]
        for kind, found in {"weights": pl_module.parameters(), "running statistics": buffers}.items():
            tensors = [tensor.detach() for tensor in found if tensor.numel()]
            if tensors and not torch.stack(torch._foreach_norm(tensors, float("inf"))).isfinite().all():
                raise self._make_error(
                    trainer, f"{kind} are not numbers (NaN or infinite) at step {trainer.global_step}"
                )

    def _make_error(self, trainer: Trainer, what: str) -> SegappError:
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        advice = [f"lower the learning rate (--model.optimizer.init_args.lr, now {rate:.2g})"]
        if not trainer.gradient_clip_val:
            advice.append("clip gradients (--trainer.gradient_clip_val 1.0)")
        if trainer.precision not in ("32-true", "64-true"):
            advice.append(f"compute more precisely than {trainer.precision} (--trainer.precision 32-true)")
        kept = (
            f"{self.last.path} holds the last good weights." if self.last.path.is_file() else "Nothing was saved yet."
        )
        return SegappError(f"{what}. {kept} To fix it, {', or '.join(advice)}.")
