"""Complete the user's trainer settings with the callbacks, loggers and plugins of every run, and check them."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.callbacks import ProgressBar as LightningBar
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.plugins import CheckpointIO

from segapp.callbacks import (
    AbsentClasses,
    BestCheckpoint,
    Curves,
    LastCheckpoint,
    ProgressBar,
    RetunedOptimizer,
    RunRecord,
    SeedEachStep,
    StopAtNaN,
    StopWhenAsked,
    TrainingReport,
    WholeFiles,
)
from segapp.errors import MisuseError, suggest
from segapp.loading.source_building import list_source_arguments
from segapp.system.limits import count_usable_cores


def refuse_impossible(trainer: Any) -> None:
    """Raise MisuseError for intervals of zero, and for a run that would keep no checkpoint."""
    for name in ("val_check_interval", "check_val_every_n_epoch", "accumulate_grad_batches"):
        if trainer[name] == 0:
            raise MisuseError(f"trainer.{name} is 0; set 1 or more, or leave it out.")
    if trainer.gradient_clip_val is not None and not trainer.gradient_clip_val >= 0:
        raise MisuseError(f"trainer.gradient_clip_val is 0 or more, got {trainer.gradient_clip_val}; 0 clips nothing.")
    if (
        trainer.accelerator == "cpu"
        and isinstance(trainer.devices, int)
        and trainer.devices > max(8, count_usable_cores())
    ):
        raise MisuseError(
            f"trainer.devices={trainer.devices} means as many processes, but there are {count_usable_cores()} cores; "
            "set fewer."
        )
    if trainer.enable_checkpointing is False:
        raise MisuseError(
            "trainer.enable_checkpointing: a run always writes its best and its last checkpoint; leave this out, or "
            "use --dry_run, which keeps no files."
        )


def refuse_addresses(settings: Any) -> None:
    """Raise MisuseError for an address, of which a folder of that name would be made here."""
    roots = [(f"{place}.root", one.get("root")) for place, one in list_source_arguments(settings.data.source)]
    for name, folder in (("trainer.default_root_dir", settings.trainer.default_root_dir), *roots):
        if "://" in str(folder):
            raise MisuseError(f"{name}: {folder} is an address; use a folder of this machine.")


def refuse_unknown_monitors(callbacks: list[Callback], validated: list[str]) -> None:
    """Raise MisuseError for an EarlyStopping on a name that is never logged.

    Lightning would report it only after the first epoch.

    Args:
        callbacks: The user's; a user-defined one may log anything.
        validated: The names of the values that a validation logs.
    """
    names = [*validated, "train/loss", "train/loss_epoch", "train/loss_step"]
    are_known = all(type(callback).__module__.split(".")[0] in ("segapp", "lightning") for callback in callbacks)
    for callback in callbacks:
        if are_known and isinstance(callback, EarlyStopping) and callback.monitor not in names:
            raise MisuseError(
                f"EarlyStopping monitors {callback.monitor!r}, which is not logged{suggest(callback.monitor, names)}: "
                f"use {', '.join(name for name in names if name.count('/') < 3)}, or a score of one class."
            )


def refuse_unfit_filenames(callbacks: list[Callback], validated: list[str]) -> None:
    """Raise MisuseError for a name of checkpoints that does not suit its values, as `{step:.2d}`.

    Lightning would fail when it saves the first.

    Args:
        callbacks: The user's, or those of a checkpoint.
        validated: The names of the values that a validation logs.
    """
    logged = [*validated, "train/loss", "train/loss_epoch", "train/loss_step"]
    for callback in callbacks:
        if not isinstance(callback, ModelCheckpoint):
            continue
        counted, scores = dict.fromkeys(("epoch", "step"), torch.tensor(1)), dict.fromkeys(logged, torch.tensor(0.5))
        try:
            callback.format_checkpoint_name(counted | scores)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise MisuseError(
                f"ModelCheckpoint: filename {callback.filename!r} cannot be formatted ({error}); use fields like "
                "{epoch}, {step:06d} and {val/loss:.3f}."
            ) from error


UNFIT = {
    "BatchSizeFinder": "segapp fit … --dry_run prints the memory and time that a batch size takes",
    "LearningRateFinder": "compare rates by a study: grid over model.optimizer.init_args.lr (segapp study)",
    "BackboneFinetuning": "take segapp.callbacks.FreezeEncoder, which trains the encoder after so many `epochs`, and "
    "model.encoder_lr for its rate",
    "ModelPruning": "networks are kept channels last, which torch's pruning cannot handle; take smaller widths",
    "StochasticWeightAveraging": "take segapp.callbacks.EMA, whose average is scored and kept in best.ckpt",
}
"""Callbacks of Lightning that change a module which holds its own rate or batches, and what to use instead."""


def refuse_unfit_callbacks(callbacks: list[Any]) -> None:
    """Raise MisuseError for a callback of Lightning that cannot work on a SegmentationModule.

    Args:
        callbacks: Their settings.
    """
    for callback in callbacks:
        package, _, name = str(callback.get("class_path")).rpartition(".")
        if name in UNFIT and package.split(".")[0] in ("lightning", "pytorch_lightning"):
            raise MisuseError(f"trainer.callbacks: {name} does not work with segapp: {UNFIT[name]}.")


def make_trainer_settings(
    settings: dict[str, Any], folder: Path, fit: bool, watchers: list[Callback]
) -> dict[str, Any]:
    """Return the arguments of Lightning's Trainer: the user's settings and callbacks, and those that every run has."""
    has_bar = any(isinstance(callback, LightningBar) for callback in settings["callbacks"] or [])
    shown = [] if has_bar or settings["enable_progress_bar"] is False else [ProgressBar()]
    return {
        **settings,
        "callbacks": [*(settings["callbacks"] or []), *shown, *watchers],
        "logger": _make_loggers(settings["logger"], folder) if fit else False,
        "enable_checkpointing": fit,
        "plugins": _add_checkpoint_plugin(_to_list(settings["plugins"]), [folder, *_list_folders(settings)]),
        "enable_model_summary": bool(settings["enable_model_summary"]),
        "default_root_dir": str(folder),
    }


def make_fit_callbacks(
    folder: Path,
    seed: int,
    config: dict[str, Any],
    stop: StopWhenAsked,
    comments: Mapping[str, str] = MappingProxyType({}),
) -> list[Callback]:
    """Make the callbacks of a training, in the order in which they are called.

    Args:
        folder: The run's.
        seed: Of every step.
        config: The complete configuration, which its checkpoints store.
        stop: The callback that saves the last checkpoint and stops the run on a signal.
        comments: Reasons of settings, by dotted keys.
    """
    return [
        AbsentClasses(),
        SeedEachStep(seed),
        RunRecord(folder, config, comments),
        RetunedOptimizer(config["model"]),
        Curves(folder),
        StopAtNaN(stop.last),
        BestCheckpoint(folder / "checkpoints"),
        stop.last,
        stop,
        TrainingReport(folder),
    ]


def make_stop_callback(folder: Path) -> StopWhenAsked:
    """Make the callback that saves a run's last checkpoint and stops there."""
    return StopWhenAsked(LastCheckpoint(folder / "checkpoints"))


def _make_loggers(given: Any, folder: Path) -> list[Any] | bool:
    """Return the user's loggers, and TensorBoard's beside them unless it is among them; none for `false`."""
    if given is False:
        return False
    loggers = [] if given is True else _to_list(given)
    if any(isinstance(logger, TensorBoardLogger) for logger in loggers):
        return loggers
    return [*loggers, TensorBoardLogger(str(folder), name="", version="tensorboard")]


def _list_folders(settings: dict[str, Any]) -> list[str | Path]:
    """Return the folders that callbacks and loggers were given, where Lightning keeps checkpoints too."""
    given = [getattr(callback, "dirpath", None) for callback in settings["callbacks"] or []]
    given += [getattr(logger, "save_dir", None) for logger in _to_list(settings["logger"] or None)]
    return [folder for folder in given if isinstance(folder, str | Path)]


def _add_checkpoint_plugin(plugins: list[Any], folders: list[str | Path]) -> list[Any]:
    """Add segapp's checkpoint plugin, unless the user has one."""
    has_one = any(isinstance(plugin, CheckpointIO) for plugin in plugins)
    return plugins if has_one else [*plugins, WholeFiles(*folders)]


def _to_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]
