"""Report classes that never occur in the training masks and so cannot be learnt."""

import sys
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from torch import Tensor
from tqdm import tqdm

from segapp.batch import Batch
from segapp.spec import Spec
from segapp.terminal.text import for_terminal


class AbsentClasses(Callback):
    """Reports once which classes have no pixel.

    Uses the training masks where they are read anyway (oversampling, balanced weights), else the samples of the first
    epoch, which costs nothing. A resumed run does not report it again.
    """

    def __init__(self) -> None:
        self._seen: Tensor | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check the known counts, or begin to watch samples."""
        if trainer.global_step:
            return
        counts = trainer.datamodule.get_known_counts()  # type: ignore[attr-defined]
        if counts is None:
            self._seen = torch.zeros(256, dtype=torch.bool, device=pl_module.device)
        elif trainer.is_global_zero:
            _report(pl_module, counts > 0, "the training masks hold no pixel of {}: it cannot be learnt.")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Mark the classes of a batch, without waiting for its device."""
        if self._seen is not None:
            self._seen[batch["mask"].long()] = True

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add up over the processes, and report."""
        if self._seen is None:
            return
        seen = trainer.strategy.reduce(self._seen.float(), reduce_op="sum")
        self._seen = None
        if trainer.is_global_zero:
            message = "no sample of epoch 1 shows a pixel of {}: if the training masks hold none, it cannot be learnt."
            _report(pl_module, seen.cpu().numpy() > 0, message)


def _report(pl_module: LightningModule, occurs: np.ndarray, message: str) -> None:
    spec: Spec = pl_module.spec  # type: ignore[assignment]
    absent = [f"{for_terminal(name)} ({index})" for index, name in enumerate(spec.classes) if not occurs[index]]
    if absent:
        shown = ", ".join(absent[:10]) + (f" and {len(absent) - 10} more" if absent[10:] else "")
        advice = "Look at the masks, at the data's `classes` and `values`, and at which images the split trains on."
        tqdm.write(f"note: {message.format(shown)} {advice}", file=sys.stderr)
