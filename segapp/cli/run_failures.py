"""Turns exceptions of libraries during a run into errors that the user can act on."""

import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from jsonargparse import Namespace

from segapp.checkpoints.building import shorten_error
from segapp.errors import MisuseError, SegappError
from segapp.training.failures import explain_known_failure
from segapp.training.watchdog import explain_lost_process

CHECKED_LATE = ("val_check_interval", "accumulate_grad_batches")
"""Settings of the trainer that Lightning looks at when it trains; its ValueError names them."""

_ABSENT = object()


def explain_failure(
    error: Exception,
    verb: str,
    settings: Namespace,
    folder: Path,
    models: tuple[dict[str, Any] | None, dict[str, Any]],
    processes: int,
) -> SegappError | None:
    """Return the error that a user can act on; None for an unknown one, which keeps its traceback.

    Args:
        error: What was raised.
        verb: `fit`, `validate` or `test`.
        settings: All settings of the run.
        folder: The folder of the run.
        models: The model section that the checkpoint was trained with, None without one, and that of this run.
        processes: The number of processes of the run.
    """
    if isinstance(error, ValueError) and any(name in str(error) for name in CHECKED_LATE):
        return MisuseError(" ".join(str(error).split()))
    return (
        explain_unfit_weights(error, settings.ckpt_path, *models)
        or explain_known_failure(error, verb, settings, folder)
        or explain_unrestored(error, settings.ckpt_path)
        or (explain_lost_process(error) if processes > 1 else None)
    )


def explain_unfit_weights(
    error: Exception, path: str | None, old: dict[str, Any] | None, new: dict[str, Any]
) -> MisuseError | None:
    """Explain weights that do not fit the network; return None for another error.

    Args:
        error: As torch raises it when weights are loaded.
        path: The checkpoint.
        old: The model section it was trained with.
        new: The model section of this run.
    """
    if old is None or "loading state_dict" not in str(error):
        return None
    parts = {name: old.get(name) for name in ("net", "loss")}, {name: new.get(name) for name in ("net", "loss")}
    changed = [f"{key} was {was} and is {now} now" for key, was, now in _find_differences(*parts, "model")]
    lines = str(error).splitlines()
    why = "; ".join(changed) or f"no setting differs, so its class has changed ({lines[-1].strip().rstrip('.')})"
    return MisuseError(
        f"the weights of {path} do not match the network: {why}. "
        "Restore these settings, or train another network in a new run (segapp fit without --ckpt_path)."
    )


def _find_differences(old: Any, new: Any, place: str) -> Iterator[tuple[str, Any, Any]]:
    """Find the dotted key, old and new value of every setting that differs."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from _find_differences(old.get(key, _ABSENT), new.get(key, _ABSENT), f"{place}.{key}")
    elif old != new:
        was, now = ("not set" if value is _ABSENT else value for value in (old, new))
        yield place, was, now


def explain_unrestored(error: Exception, path: str | None) -> MisuseError | None:
    """Explain that Lightning or the optimiser failed with the state of a checkpoint; return None for other errors."""
    frames = [Path(frame.filename) for frame in traceback.extract_tb(error.__traceback__)]
    is_restoring = any(frame.name == "checkpoint_connector.py" for frame in frames)
    if path is None or not (is_restoring or _is_in_optimizer(frames)):
        return None
    return MisuseError(
        f"{path}: a damaged checkpoint, from which training cannot resume ({type(error).__name__}: "
        f"{shorten_error(error)}). "
        "Use another one of its run, or start a new run from its weights: segapp fit --init_from."
    )


def _is_in_optimizer(frames: Sequence[Path]) -> bool:
    """Return whether the innermost frames of an error are torch's, one of them an optimiser's or a scheduler's."""
    for frame in reversed(frames):
        if "torch" not in frame.parts:
            return False
        if "optim" in frame.parts:
            return True
    return False
