"""Apply changed settings of the optimiser when a run resumes with the optimiser state of its checkpoint."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from segapp.errors import MisuseError

SCHEDULE = "segapp.schedules.WarmupCosine"
"""A scheduler that takes only its position from the checkpoint, and its settings from the command line."""


class RetunedOptimizer(Callback):
    """Puts changed settings of the optimiser into the checkpoint's state, which holds the old ones.

    A new learning rate scales the current rates, so that a schedule continues from its position. Raises MisuseError for
    another class of optimiser or scheduler, for changed settings of a scheduler that would not take them, and for
    other factors of the encoder's rate.

    Args:
        model: The model section of this run's configuration.
    """

    def __init__(self, model: dict[str, Any]) -> None:
        self.model = model

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Change the options before Lightning restores the optimiser and its scheduler from `checkpoint`."""
        before = checkpoint["segapp"]["config"]["model"]
        for name in ("encoder_lr", "layer_decay"):
            if (was := before.get(name, 1.0)) != (now := self.model.get(name, 1.0)):
                raise MisuseError(
                    f"model.{name} was {was} and is now {now}; a resumed run keeps it: leave it unchanged, "
                    "or start a new run from these weights: segapp fit --init_from."
                )
        changed = _find_changes("optimizer", before, self.model)
        schedule = _find_changes("lr_scheduler", before, self.model)
        if schedule and self.model["lr_scheduler"]["class_path"] != SCHEDULE:
            raise MisuseError(
                f"a resumed run keeps its scheduler's settings, and {', '.join(schedule)} of model.lr_scheduler "
                f"changed; leave them unchanged, or start a new run. Only {SCHEDULE} accepts new settings."
            )
        former = (before["optimizer"].get("init_args") or {}).get("lr")
        if "lr" in changed and not (isinstance(former, int | float) and former > 0):
            raise MisuseError("the checkpoint does not say its learning rate, so it cannot be scaled; leave lr out.")
        ratio = changed["lr"] / former if "lr" in changed else 1.0
        for state in checkpoint["optimizer_states"]:
            for group in state["param_groups"]:
                group |= {key: value for key, value in changed.items() if key != "lr"}
                group |= {key: group[key] * ratio for key in ("lr", "initial_lr") if key in group}
        for state in checkpoint["lr_schedulers"]:
            state |= {key: [rate * ratio for rate in state[key]] for key in ("base_lrs", "_last_lr") if key in state}


def _find_changes(part: str, before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of `part` that differ, with their present values."""
    old, new = ((section.get(part) or {}) for section in (before, now))
    was, is_ = old.get("class_path"), new.get("class_path")
    if was != is_:
        raise MisuseError(
            f"model.{part} was {was or 'null'} and is now {is_ or 'null'}, and the state of one does not fit the "
            "other: leave it unchanged, or start a new run (segapp fit without --ckpt_path)."
        )
    settings, known = new.get("init_args") or {}, old.get("init_args") or {}
    return {key: value for key, value in settings.items() if known.get(key) != value}
