"""What others' code raises while a run works, explained to its user."""

from pathlib import Path
from typing import Any

from jsonargparse import Namespace

from segapp.cli.resume import explain_unfit_weights, explain_unrestored
from segapp.errors import MisuseError, SegappError
from segapp.training.failures import explain_known_failure
from segapp.training.watchdog import explain_lost_process

CHECKED_LATE = ("val_check_interval", "accumulate_grad_batches")
"""Settings of the trainer that Lightning looks at when it trains; its ValueError names them."""


def explain_failure(
    error: Exception,
    verb: str,
    settings: Namespace,
    folder: Path,
    models: tuple[dict[str, Any] | None, dict[str, Any]],
    processes: int,
) -> SegappError | None:
    """Return the error that a user can act on; None for one that nobody knows, which keeps its traceback.

    Args:
        error: What was raised.
        verb: `fit`, `validate` or `test`.
        settings: All settings of the run.
        folder: Where it is written.
        models: The model section that the checkpoint was trained with, None without one, and that of this run.
        processes: How many processes work on it.
    """
    if isinstance(error, ValueError) and any(name in str(error) for name in CHECKED_LATE):
        return MisuseError(" ".join(str(error).split()))
    return (
        explain_unfit_weights(error, settings.ckpt_path, *models)
        or explain_known_failure(error, verb, settings, folder)
        or explain_unrestored(error, settings.ckpt_path)
        or (explain_lost_process(error) if processes > 1 else None)
    )
