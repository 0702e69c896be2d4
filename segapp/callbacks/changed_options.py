"""What a user changes of the optimiser when a run goes on, though its state is that of the checkpoint."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from segapp.errors import MisuseError

SCHEDULE = "segapp.schedules.WarmupCosine"
"""Keeps of the checkpoint only where it was: its settings are those that were typed."""


class RetunedOptimizer(Callback):
    """Puts changed settings of the optimiser into the state that it is restored from, which holds the old ones.

    A new learning rate scales the rates at hand, so that a schedule goes on from where it was. Raises MisuseError for
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
                    f"model.{name} was {was} and is {now} now, and a run that goes on keeps it: leave it as it was, "
                    "or start a new run from these weights: segapp fit --init_from."
                )
        changed = _changed("optimizer", before, self.model)
        schedule = _changed("lr_scheduler", before, self.model)
        if schedule and self.model["lr_scheduler"]["class_path"] != SCHEDULE:
            raise MisuseError(
                f"a run that goes on keeps its scheduler's settings, and {', '.join(schedule)} of model.lr_scheduler "
                f"changed; leave them as they were, or start a new run. {SCHEDULE} takes new ones."
            )
        ratio = changed["lr"] / before["optimizer"]["init_args"]["lr"] if "lr" in changed else 1.0
        for state in checkpoint["optimizer_states"]:
            for group in state["param_groups"]:
                group |= {key: value for key, value in changed.items() if key != "lr"}
                group |= {key: group[key] * ratio for key in ("lr", "initial_lr") if key in group}
        for state in checkpoint["lr_schedulers"]:
            state |= {key: [rate * ratio for rate in state[key]] for key in ("base_lrs", "_last_lr") if key in state}


def _changed(part: str, before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of `part` that differ, with their present values."""
    old, new = ((section.get(part) or {}) for section in (before, now))
    was, is_ = old.get("class_path"), new.get("class_path")
    if was != is_:
        raise MisuseError(
            f"model.{part} was {was or 'null'} and is {is_ or 'null'} now, and the state of one says nothing to the "
            "other: leave it as it was, or start a new run (segapp fit without --ckpt_path)."
        )
    settings, known = new.get("init_args") or {}, old.get("init_args") or {}
    return {key: value for key, value in settings.items() if known.get(key) != value}
