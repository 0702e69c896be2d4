"""Explains how the limits of the trainer end a run: `max_epochs`, `max_steps` and `max_time`."""

import math
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Timer

from segapp.callbacks.stop_rules import EarlyEnd


def explain_finished_run(checkpoint: dict[str, Any], trainer: Any) -> str | None:
    """Explain that a run has reached its limit already; return None where it has not.

    Args:
        checkpoint: The checkpoint that the run would resume from.
        trainer: The trainer's settings, for `max_epochs`, `max_steps` and `max_time`.
    """
    if "fit_loop" not in checkpoint.get("loops", {}):
        return None  # weights alone, which Lightning refuses to resume from
    epochs = checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]
    for name, done in (("max_epochs", epochs), ("max_steps", checkpoint["global_step"])):
        if 0 < (trainer[name] or -1) <= done:
            return (
                f"nothing is left to train: the run has done {done} of {trainer[name]} {name.removeprefix('max_')}; "
                f"to continue, set a larger --trainer.{name}, such as {2 * trainer[name]}."
            )
    timers = [state for key, state in checkpoint.get("callbacks", {}).items() if key.startswith("Timer")]
    used = [state.get("time_elapsed", {}).get("train", 0.0) for state in timers]
    if trainer["max_time"] and used and used[0] >= (Timer(trainer["max_time"]).time_remaining() or math.inf):
        return (
            f"nothing is left to train: the run has used its {trainer['max_time']}; to continue, set a larger "
            "--trainer.max_time."
        )
    return None


def explain_cut(trainer: Trainer, command: str) -> str:
    """Explain what ended a run in the middle of an epoch, and how `command` continues it where there is more to do."""
    steps = trainer.global_step
    callbacks = [callback for callback in trainer.callbacks if isinstance(callback, EarlyEnd)]  # type: ignore[attr-defined]
    ended = [type(callback).__name__ for callback in callbacks if callback.end is not None and callback.end <= steps]
    if ended:
        return (
            f"{' and '.join(ended)} ended it after {steps} steps, with the learning rate at its end; for more, start a "
            "new run with more minutes or patience."
        )
    return (
        f"a limit ended it in the middle of an epoch, after {steps} steps; continue with "
        f"a larger --trainer.max_steps or --trainer.max_time: {command}"
    )
