"""Stop a fit on SIGTERM or Ctrl-C at a point where nothing is lost."""

import os
import signal
import threading
from types import FrameType
from typing import Any, NoReturn

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from segapp.callbacks.keep_checkpoints import LastCheckpoint
from segapp.errors import SegappError, StoppedError

_NAMES = {signal.SIGTERM: "SIGTERM", signal.SIGINT: "Ctrl-C"}
_HINT = b"\nsegapp: saving and stopping after this step; Ctrl-C again stops at once.\n"


class StopWhenAsked(Checkpoint):
    """On SIGTERM or Ctrl-C saves `last.ckpt` at the next point that loses nothing, and ends with `StoppedError`.

    Such points lie after an optimiser step and after every validation image; a resumed run repeats the validation.
    Several processes decide together, whichever received the signal: after a step and before a validation, not within
    one, where they have different numbers of images. A second Ctrl-C does not wait.

    It replaces Lightning's handling of SIGTERM, which saves nothing and calls a collective from a signal
    handler. Lightning restores every handler when it ends.

    Args:
        last: The callback that saves.
    """

    def __init__(self, last: LastCheckpoint) -> None:
        self.last = last
        self.asked: int | None = None
        """The signal that was received."""

    def on_sanity_check_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Install the signal handlers."""
        self._listen()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Install the signal handlers also where there was no sanity check."""
        self._listen()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stop between two optimiser steps."""
        if self.last.is_safe_point(trainer, batch_idx) and (number := self._share_signal(trainer)):
            self.last.save(trainer)
            self._stop(trainer, number)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop before a validation, which is then the first thing that a resumed run does."""
        if not trainer.sanity_checking and (number := self._share_signal(trainer)):
            self.last.save_before_validation(trainer)
            self._stop(trainer, number)

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Stop within a validation."""
        if self.asked is None or trainer.world_size > 1:
            return
        if not trainer.sanity_checking:
            self.last.save_before_validation(trainer)
        self._stop(trainer, self.asked)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop after an epoch, which `LastCheckpoint` has just saved."""
        if number := self._share_signal(trainer):
            self._stop(trainer, number)

    def explain_stop(self, error: SegappError) -> StoppedError:
        """Explain a signal that also ended workers, so that the current step cannot be finished."""
        number = self.asked or signal.SIGTERM
        kept = f"; resume with: {self.last.command}" if self.last.path.is_file() else ""
        return StoppedError(f"stopped by {_NAMES[signal.Signals(number)]} ({error}){kept}", number)

    def _listen(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in _NAMES:
                signal.signal(number, self._handle_signal)

    def _handle_signal(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            if self.asked == number:
                raise KeyboardInterrupt
            os.write(2, _HINT)  # print and logging may be in the middle of a line
        self.asked = number

    def _share_signal(self, trainer: Trainer) -> int:
        """Return the signal that any process received, or 0; a collective."""
        if trainer.world_size == 1:
            return self.asked or 0
        received = [
            trainer.strategy.reduce_boolean_decision(self.asked == number, all=False) for number in sorted(_NAMES)
        ]
        return next((number for number, one in zip(sorted(_NAMES), received, strict=True) if one), 0)

    def _stop(self, trainer: Trainer, number: int) -> NoReturn:
        what = f"stopped by {_NAMES[signal.Signals(number)]}"
        if not self.last.path.is_file():
            raise StoppedError(f"{what} before the first step; nothing was saved.", number)
        raise StoppedError(
            f"{what} after {trainer.global_step} steps; resume with: {self.last.command}",
            number,
        )
