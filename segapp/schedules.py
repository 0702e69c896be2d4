"""Learning-rate schedules that know how long the run is."""

import math
from dataclasses import astuple, dataclass
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from segapp.errors import MisuseError


@dataclass(frozen=True)
class Bend:
    """Another end of a cosine, decided during the run."""

    start: int
    """Steps that were done then."""
    progress: float
    """Fraction of the cosine that was done then."""
    end: int
    """Steps after which it is over."""

    @property
    def length(self) -> int:
        """The steps from then on."""
        return max(1, self.end - self.start)


class WarmupCosine(LambdaLR):
    """Linear warm-up, then half a cosine down to `final` × the base rate, over exactly one run; stepped every step.

    The last step of the warm-up (without one, the run's first step) has the base rate, the run's last step `final` ×
    it.

    torch's schedules take the number of steps as an argument; here the module sets it (`span`) from the epochs, the
    data and the accumulation, so that it always agrees with `--trainer.max_epochs`.

    Args:
        optimizer: Whose learning rates are scheduled.
        warmup: Fraction of the run spent rising from 0, in [0, 1).
        final: Where the cosine ends, as a fraction of the base rate, 0 or more.
    """

    def __init__(self, optimizer: Optimizer, warmup: float = 0.05, final: float = 0.0) -> None:
        if not 0 <= warmup < 1 or final < 0:
            raise MisuseError(
                f"WarmupCosine: warmup must be a fraction of the run in [0, 1), and final 0 or more; got {warmup} and "
                f"{final}."
            )
        self.warmup = warmup
        self.final = final
        self.total_steps = 1
        self._bend: Bend | None = None
        super().__init__(optimizer, self._compute_factor)

    def span(self, total_steps: float) -> None:
        """Set the run's number of optimiser steps; MisuseError where it has no end."""
        if math.isinf(total_steps):
            raise MisuseError(
                "WarmupCosine needs a run with an end: set --trainer.max_epochs or --trainer.max_steps, "
                "or another model.lr_scheduler."
            )
        self.total_steps = max(1, int(total_steps))
        self._apply()

    @property
    def end(self) -> int:
        """The number of steps after which the rate has arrived at `final`."""
        return self._bend.end if self._bend else self.total_steps

    def end_at(self, steps: int) -> None:
        """End the run after another number of steps; the rate falls from where it is.

        A warm-up that is not over is finished first, unless the run ends within it.
        """
        done, rise = self.last_epoch, self._rise
        steps = max(steps, done + 1)
        if done < rise < steps:
            self._bend = Bend(rise, 0.0, steps)
        elif done < rise:
            self._bend = Bend(done, math.acos(2 * done / rise - 1) / math.pi, steps)
        else:
            self._bend = Bend(done, self._progress(done), steps)
        self._apply()

    @property
    def _rise(self) -> int:
        """The steps of the warm-up."""
        return max(1, round(self.warmup * self.total_steps))

    def _apply(self) -> None:
        self._last_lr = [base * self._compute_factor(self.last_epoch) for base in self.base_lrs]
        for group, rate in zip(self.optimizer.param_groups, self._last_lr, strict=True):
            group["lr"] = rate

    def _compute_factor(self, step: int) -> float:
        if step < self._rise and not (self._bend and self._bend.start <= step):
            return (step + 1) / self._rise
        return self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * min(1.0, self._progress(step + 1))))

    def _progress(self, done: int) -> float:
        """Return the fraction of the cosine that is done after so many steps."""
        if self._bend is not None:
            return self._bend.progress + (1 - self._bend.progress) * (done - self._bend.start) / self._bend.length
        return (done - self._rise) / max(1, self.total_steps - self._rise)

    def state_dict(self) -> dict[str, Any]:
        """Return the position, and a changed end with the number of steps that it was computed for."""
        bend = None if self._bend is None else [*astuple(self._bend), self.total_steps]
        return {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs), "bend": bend}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore a position, and set the optimiser's rates by it.

        A changed end is dropped where the resumed run has another number of steps than the interrupted one.
        """
        self.last_epoch = state_dict["last_epoch"]
        self.base_lrs = list(state_dict["base_lrs"])
        bend = state_dict.get("bend")
        self._bend = Bend(*bend[:3]) if bend and bend[3] == self.total_steps else None
        self._apply()
