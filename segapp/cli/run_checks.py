"""Checks and completes the settings of a run before objects are made from them."""

import os
from pathlib import Path
from typing import Any

from jsonargparse import Namespace

from segapp.callbacks.trackers import refuse_missing_packages
from segapp.cli.arguments import Arguments
from segapp.errors import MisuseError
from segapp.io import require_writable
from segapp.training.console import print_message
from segapp.training.devices import apply_torchrun, refuse_unknown_strategy, refuse_what_needs_a_gpu
from segapp.training.precision import choose_precision, refuse_mixed_under_fsdp, refuse_rounded_weights
from segapp.training.trainer_settings import refuse_addresses, refuse_impossible, refuse_unfit_callbacks


def check_trainer(settings: Namespace, verb: str) -> None:
    """Raise MisuseError for settings of the trainer that cannot work.

    Args:
        settings: All settings of the run.
        verb: `fit`, `validate` or `test`.
    """
    trainer = settings.trainer
    refuse_what_needs_a_gpu(trainer)
    refuse_unknown_strategy(trainer.strategy)
    refuse_rounded_weights(trainer.precision)
    refuse_mixed_under_fsdp(trainer.precision, _name_strategy(trainer))
    refuse_impossible(trainer)
    if verb == "fit":
        refuse_unfit_callbacks(_list(trainer.callbacks))
        refuse_missing_packages(_list(trainer.logger))
    refuse_addresses(settings)


def fill_trainer(trainer: Any) -> None:
    """Fill in missing settings in place: the precision, and the processes that torchrun has started."""
    if trainer.precision is None:
        trainer.precision = choose_precision(str(trainer.accelerator), _name_strategy(trainer))
        print_message(f"precision: {trainer.precision} (the fastest safe one here; --trainer.precision overrides)")
    for key, number in apply_torchrun(trainer, os.environ).items():
        trainer[key] = number


def check_run(settings: Namespace, arguments: Arguments, has_split: bool) -> None:
    """Raise MisuseError for settings that contradict one another.

    Args:
        settings: All settings of the run.
        arguments: As typed.
        has_split: Whether a checkpoint or bundle is named.
    """
    verb, checkpoint = arguments.command, settings.get("ckpt_path")
    if verb == "fit" and settings.trainer.max_epochs == 0:
        raise MisuseError("trainer.max_epochs is 0, which trains nothing; set 1 or more.")
    if verb == "fit" and checkpoint and settings.trainer.fast_dev_run:
        raise MisuseError("trainer.fast_dev_run starts a new training of a few batches: leave --ckpt_path out.")
    if settings.new_split and not has_split:
        raise MisuseError("--new_split replaces the split of a checkpoint: add --ckpt_path, or leave --new_split out.")
    if verb != "fit" and settings.dry_run:
        raise MisuseError(f"--dry_run measures a fit; segapp {verb} does not have this option.")
    if verb != "fit" and any(option.keys[:2] == ["trainer", "logger"] for option in arguments.options):
        raise MisuseError(
            f"--trainer.logger records a fit; segapp {verb} writes its scores into its folder: leave this out."
        )
    if settings.calibrate is not None:
        _check_calibrate(verb, checkpoint, Path(settings.calibrate))
    if verb == "fit" and settings.get("fail_under"):
        raise MisuseError("--fail_under is an option of segapp validate and test: leave it out of segapp fit.")
    if verb != "test" and settings.get("cldice"):
        raise MisuseError(f"--cldice is a score of segapp test: leave it out of segapp {verb}.")
    if verb != "test" and settings.get("tolerance") is not None:
        raise MisuseError(f"--tolerance is of the boundary scores of segapp test: leave it out of segapp {verb}.")
    if arguments.get("--init_from") and (checkpoint or verb != "fit"):
        raise MisuseError("--init_from starts a new run and --ckpt_path resumes one: use only one of them.")


def drop_unused_loggers(settings: Namespace, verb: str) -> None:
    """Leave out the loggers of a config where nothing is logged: some send a first message when they are made."""
    if settings.dry_run or verb != "fit":
        settings.trainer.logger = False


def _check_calibrate(verb: str, checkpoint: str | None, output: Path) -> None:
    """Raise MisuseError where no temperature can be fitted, or its file may not be written."""
    if verb != "validate":
        raise MisuseError(
            f"--calibrate fits a temperature to the validation images: use it with segapp validate, not with {verb}."
        )
    if checkpoint is None:
        raise MisuseError("--calibrate needs a checkpoint, not a bundle: calibrate the checkpoint and export it again.")
    if output.suffix != ".ckpt":
        raise MisuseError(f"--calibrate {output}: give the file a name that ends with .ckpt.")
    if os.path.lexists(output):
        raise MisuseError(f"--calibrate {output}: is there already; give another file. Nothing was overwritten.")
    require_writable(output.parent, "name another file for --calibrate")


def _name_strategy(trainer: Namespace) -> Any:
    return getattr(trainer.strategy, "class_path", trainer.strategy)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
