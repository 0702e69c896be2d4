"""Write `best.ckpt`, the best weights that were scored, and `last.ckpt`, to resume from."""

import math
import shlex
import time
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint
from lightning.pytorch.plugins import TorchCheckpointIO
from lightning.pytorch.strategies import FSDPStrategy

from segapp.checkpoints.checkpoint import write_checkpoint
from segapp.errors import FatalError
from segapp.io.unfinished import remove_left_overs


class WholeFiles(TorchCheckpointIO):
    """Writes a checkpoint to a temporary file beside its path and renames it once it is on the disk.

    Lightning makes a copy in memory, writes it to the system's temporary folder and moves that: from one file system
    to another this is a copy over the old checkpoint, and a full disk or a killed process leaves neither.

    Args:
        folders: The run's, and those that the user gave to callbacks and loggers: nothing is written or removed
            elsewhere, whatever a checkpoint says.
    """

    def __init__(self, *folders: str | Path) -> None:
        self._folders = [Path(folder).resolve() for folder in folders]

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write a checkpoint so that always the old file or the new one exists.

        Raise SegappError when the disk is full.
        """
        self._require_inside(Path(path))
        write_checkpoint(Path(path), checkpoint)

    def load_checkpoint(self, path: str | Path, map_location: Any = "cpu", weights_only: bool | None = None) -> Any:
        """Return the content of the very file that was checked; never unpickles more than plain data and tensors.

        Lightning's own reader takes a file called `zip::m.ckpt` for one inside `m.ckpt`, and a name that begins with
        `http` for an address.
        """
        with Path(path).open("rb") as file:
            return torch.load(file, map_location=map_location, weights_only=True)

    def remove_checkpoint(self, path: str | Path) -> None:
        """Remove a checkpoint's file of this run; raise FatalError for everything else.

        Lightning removes whatever a path leads to, complete folders too, and a callback's state may come from a file.
        """
        file = Path(path)
        if file.suffix != ".ckpt" or not (file.is_file() or file.is_symlink()):
            raise FatalError(f"{path}: no file of a checkpoint, so it was not removed.")
        self._require_inside(file)
        file.unlink()

    def _require_inside(self, file: Path) -> None:
        place = file.parent.resolve() / file.name
        if not any(place.is_relative_to(folder) for folder in self._folders):
            raise FatalError(
                f"{file}: lies outside the run {self._folders[0]}, so it was neither written nor removed; give a "
                "callback its folder with dirpath."
            )


class BestCheckpoint(ModelCheckpoint):
    """`best.ckpt`: the weights with the highest `val/dice/dataset`; a validation without a score is never best."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            dirpath=folder,
            filename="best",
            monitor="val/dice/dataset",
            mode="max",
            save_top_k=1,
            auto_insert_metric_name=False,
            enable_version_counter=False,
        )

    def _should_skip_saving_checkpoint(self, trainer: Trainer) -> bool:
        score = trainer.callback_metrics.get("val/dice/dataset", math.nan)
        return super()._should_skip_saving_checkpoint(trainer) or not math.isfinite(float(score))

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the best score, also of a run that was moved.

        Without a `best.ckpt` in the folder it starts afresh.
        """
        if not (Path(str(self.dirpath)) / "best.ckpt").is_file():
            return
        path, score = str(Path(str(self.dirpath)) / "best.ckpt"), state_dict.get("best_model_score")
        here = {"dirpath": str(self.dirpath), "best_model_path": path, "kth_best_model_path": path}
        known = {"best_model_score": score, "best_k_models": {} if score is None else {path: score}}
        super().load_state_dict({**state_dict, **here, **known})


def format_resume(path: Path, devices: Any = 1, nodes: int = 1, strategy: str = "auto") -> str:
    """Return the command that resumes a run from its checkpoint, with the options that no checkpoint stores.

    Args:
        path: The checkpoint.
        devices: The trainer's `devices`: left out for one, and for "auto".
        nodes: Its `num_nodes`.
        strategy: Its `strategy`: left out for "auto".
    """
    given = (("devices", devices, (1, "1", "auto")), ("num_nodes", nodes, (1,)), ("strategy", strategy, ("auto",)))
    options = [f" --trainer.{name} {shlex.quote(str(value))}" for name, value, usual in given if value not in usual]
    return f"segapp fit --ckpt_path {shlex.quote(str(path))}{''.join(options)}"


class LastCheckpoint(Checkpoint):
    """`last.ckpt`, to continue an interrupted run from: every so many steps and minutes, and after every epoch.

    Within an epoch it is written where an optimiser step has just ended, so that no accumulated gradient is lost,
    and never just before a validation, which a resumed run would skip. Where a limit (`max_steps`, `max_time`) ends the
    run in the middle of an epoch, it is written there, between two steps.

    Args:
        folder: Where it is written.
        every_n_steps: Optimiser steps between two saves.
        every_n_minutes: Minutes between two saves; whichever comes first.
    """

    def __init__(self, folder: Path, every_n_steps: int = 1000, every_n_minutes: float = 10.0) -> None:
        self.path = folder / "last.ckpt"
        self._repeats_validation = False
        self._is_postponed = False  # whether an end waits for the optimiser's next step
        self.ended_within_epoch = False
        """Whether a limit ended the run in the middle of an epoch."""
        self.every_n_steps = every_n_steps
        self.every_n_seconds = 60 * every_n_minutes
        self._saved_step = 0
        self._machine: tuple[int, int, str] = (1, 1, "auto")
        self._saved_time = time.monotonic()

    @property
    def command(self) -> str:
        """The command that resumes from it, on as many devices."""
        return format_resume(self.path, *self._machine)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start counting, also when resuming, and remove temporary files that a killed process left."""
        if trainer.is_global_zero:
            remove_left_overs(self.path.parent)
        self._saved_step, self._saved_time = trainer.global_step, time.monotonic()
        self._is_postponed = self.ended_within_epoch = False
        strategy = "fsdp" if isinstance(trainer.strategy, FSDPStrategy) else "auto"
        self._machine = (trainer.num_devices, trainer.num_nodes, strategy)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save when due, between two optimiser steps, and where Lightning ends an epoch early."""
        if self._is_ending_early(trainer, batch_idx):
            self.ended_within_epoch = True
            (self.save_before_validation if _is_validation_next(trainer, batch_idx) else self.save)(trainer)
            return
        steps = trainer.global_step - self._saved_step
        due = steps >= self.every_n_steps or self._is_due(trainer)
        if due and steps and self.is_safe_point(trainer, batch_idx):
            self.save(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save after every epoch, once its validation is done; Lightning also calls it for one that ended early."""
        if not self.ended_within_epoch:
            self.save(trainer)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Set the loops' counters so that a resumed run repeats the validation."""
        if not self._repeats_validation:
            return
        progress = checkpoint["loops"]["fit_loop"]["epoch_loop.val_loop.batch_progress"]
        # Lightning's sign of a validation that was interrupted: one image begun and not ended. It begins with the
        # first image that was not completed, so completed counts none.
        progress["total"] |= {"ready": 1, "started": 1, "processed": 0, "completed": 0}
        progress["current"] |= {"ready": 0, "started": 0, "processed": 0, "completed": 0}
        progress["is_last_batch"] = False

    @staticmethod
    def is_safe_point(trainer: Trainer, batch_idx: int) -> bool:
        """Return whether at the end of this batch no gradient is half accumulated and no validation comes next."""
        return _has_stepped(trainer, batch_idx) and not (
            trainer.is_last_batch or _is_validation_next(trainer, batch_idx)
        )

    def save(self, trainer: Trainer) -> None:
        """Write `last.ckpt`; all processes must call it together. A trial (`fast_dev_run`) keeps nothing."""
        if trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        trainer.save_checkpoint(self.path)
        self._saved_step, self._saved_time = trainer.global_step, time.monotonic()

    def save_before_validation(self, trainer: Trainer) -> None:
        """Write `last.ckpt` before or within a validation so that a resumed run repeats all of it."""
        self._repeats_validation = True
        try:
            self.save(trainer)
        finally:
            self._repeats_validation = False

    def _is_ending_early(self, trainer: Trainer, batch_idx: int) -> bool:
        """Return whether the run ends with this batch, which is not the epoch's last.

        Not while gradients are accumulated.
        """
        stops = self._is_postponed or (trainer.should_stop and trainer.fit_loop._can_stop_early)
        if stops:
            trainer.should_stop = trainer.is_last_batch or _has_stepped(trainer, batch_idx)
            self._is_postponed = not trainer.should_stop
        has_all_steps = 0 <= trainer.max_steps <= trainer.global_step
        return not trainer.is_last_batch and (has_all_steps or (stops and trainer.should_stop))

    def _is_due(self, trainer: Trainer) -> bool:
        """Return whether a save is due, by one clock for all processes: they must enter a save together."""
        up = time.monotonic() - self._saved_time >= self.every_n_seconds
        return trainer.strategy.broadcast(up) if trainer.world_size > 1 else up


def _has_stepped(trainer: Trainer, batch_idx: int) -> bool:
    return (batch_idx + 1) % trainer.accumulate_grad_batches == 0


def _is_validation_next(trainer: Trainer, batch_idx: int) -> bool:
    every = trainer.val_check_batch or math.inf  # None where validations are scheduled by minutes
    over_epochs = trainer.check_val_every_n_epoch is None
    return ((trainer.fit_loop.total_batch_idx if over_epochs else batch_idx) + 1) % every == 0
