"""Learning-rate schedules that know how long the run is."""

import math
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from segapp.errors import MisuseError


class WarmupCosine(LambdaLR):
    """Linear warm-up, then half a cosine down to `final` × the base rate, over exactly one run; stepped every step.

    The last step of the warm-up (without one, the run's first step) has the base rate, the run's last step `final` ×
    it.

    torch's schedules must be told the number of steps; this one is told by the module (`span`) from the epochs, the
    data and the accumulation, so that changing `--trainer.max_epochs` cannot leave it behind.

    Args:
        optimizer: Whose learning rates are scheduled.
        warmup: Share of the run spent rising from 0, in [0, 1).
        final: Where the cosine ends, as a share of the base rate, 0 or more.
    """

    def __init__(self, optimizer: Optimizer, warmup: float = 0.05, final: float = 0.0) -> None:
        if not 0 <= warmup < 1 or final < 0:
            raise MisuseError(
                f"WarmupCosine takes warmup, a share of the run, in [0, 1), and final ≥ 0; got {warmup} and {final}."
            )
        self.warmup = warmup
        self.final = final
        self.total_steps = 1
        super().__init__(optimizer, self._factor)

    def span(self, total_steps: float) -> None:
        """Set the run's number of optimiser steps; MisuseError where it has no end."""
        if math.isinf(total_steps):
            raise MisuseError(
                "WarmupCosine needs a run with an end: give --trainer.max_epochs or --trainer.max_steps, "
                "or another model.lr_scheduler."
            )
        self.total_steps = max(1, int(total_steps))
        self._apply()

    def _apply(self) -> None:
        self._last_lr = [base * self._factor(self.last_epoch) for base in self.base_lrs]
        for group, rate in zip(self.optimizer.param_groups, self._last_lr, strict=True):
            group["lr"] = rate

    def _factor(self, step: int) -> float:
        rise = max(1, round(self.warmup * self.total_steps))
        if step < rise:
            return (step + 1) / rise
        progress = min(1.0, (step + 1 - rise) / max(1, self.total_steps - rise))
        return self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * progress))

    def state_dict(self) -> dict[str, Any]:
        """The position only: a resumed run may be longer than the interrupted one was meant to be."""
        return {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Inverse of `state_dict`; the optimiser's rates follow, which were those of the interrupted run."""
        self.last_epoch = state_dict["last_epoch"]
        self.base_lrs = list(state_dict["base_lrs"])
        self._apply()


def scale_rates(optimizer: Optimizer) -> None:
    """Multiply the rate of each group of parameters with its `lr_scale`, before a scheduler takes it as the base."""
    for group in optimizer.param_groups:
        group["lr"] *= group.get("lr_scale", 1.0)


def check_rates(optimizer: Optimizer, scheduler: object) -> None:
    """Raise MisuseError for a scheduler that has given all groups one rate, whatever their `lr_scale`."""
    groups = optimizer.param_groups
    bases = [group.get("initial_lr", group["lr"]) / group.get("lr_scale", 1.0) for group in groups]
    if not all(math.isclose(base, bases[0], rel_tol=1e-6) for base in bases):
        raise MisuseError(
            f"model.lr_scheduler: {type(scheduler).__name__} sets one learning rate for the whole network, and "
            "model.encoder_lr or model.layer_decay ask for several: take segapp.schedules.WarmupCosine."
        )
