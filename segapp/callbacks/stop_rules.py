"""End a run early: when its time is over, or when validation no longer improves.

Either way the learning rate first falls to its end: the best weights are mostly the last.
"""

import math
import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import rank_zero_info

from segapp.errors import MisuseError
from segapp.schedules import WarmupCosine

WARM_UP_STEPS = 10
"""First steps of a session, whose mean is not taken: they also start workers and compile kernels."""
EARLY_FRACTION = 0.1
"""Fraction of the budget after which the fastest of fewer steps counts, so that slow steps keep to a short budget."""
MAX_CHECKS = 100
"""How often in a run the end is adjusted to the rest of the budget, at most."""


class EarlyEnd(Callback):
    """Stops a run after a step that is decided during the run, when the learning rate has reached its end."""

    def __init__(self) -> None:
        self.end: int | None = None
        """The number of optimiser steps after which the run ends, once it is decided."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Raise MisuseError where the learning rate has no end that can be moved."""
        self._find_schedule(trainer)

    def on_train_batch_end(self, trainer: Trainer, *rest: Any) -> None:
        """Stop after the last step; Lightning validates once more then."""
        if self.end is not None and trainer.global_step >= self.end:
            trainer.should_stop = True

    def end_after(self, trainer: Trainer, steps: int) -> None:
        """Let rate and run end after so many optimiser steps."""
        self.end = steps
        self._find_schedule(trainer).end_at(steps)

    def state_dict(self) -> dict[str, Any]:
        """Return the end, so that a resumed run ends as the interrupted one would have."""
        return {"end": self.end}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the end."""
        self.end = state_dict["end"]

    def _find_schedule(self, trainer: Trainer) -> WarmupCosine:
        schedules = [config.scheduler for config in trainer.lr_scheduler_configs]
        found = next((schedule for schedule in schedules if isinstance(schedule, WarmupCosine)), None)
        if found is None:
            raise MisuseError(
                f"{type(self).__name__} lets the learning rate end with the run, which needs model.lr_scheduler "
                "segapp.schedules.WarmupCosine: use it, or leave the callback out."
            )
        return found


class TimeBudget(EarlyEnd):
    """Ends a run within so many minutes, validations included, with the learning rate at its end exactly then.

    Where steps are slower than `trainer.max_steps` supposes, the rest of the schedule is shortened, and again when the
    speed changes. A resumed run has the rest of the interrupted one's budget.

    Args:
        minutes: From the first step on, without the time between an interruption and resuming.
        validation_steps: How many steps take as long as one validation. It counts until a validation was measured; 0
            if it is not known.
    """

    def __init__(self, minutes: float, validation_steps: float = 0) -> None:
        if minutes <= 0 or validation_steps < 0:
            raise MisuseError(
                f"TimeBudget: minutes must be above 0 and validation_steps 0 or more, got {minutes} and "
                f"{validation_steps}."
            )
        super().__init__()
        self.seconds = 60 * minutes
        self.validation_steps = validation_steps
        self._spent = 0.0  # in the sessions before this one
        self._session = _Stopwatch(0)
        self._started_at = self._next_check = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        super().on_train_start(trainer, pl_module)
        self._session = _Stopwatch(trainer.global_step)
        self._started_at = trainer.global_step
        self._next_check = trainer.global_step + 2

    def on_train_batch_end(self, trainer: Trainer, *rest: Any) -> None:
        """Shorten the schedule where the rest of it would take too long, and stop where it ends."""
        self._session.count(trainer.global_step)
        if trainer.global_step >= self._next_check:
            self._adjust_end(trainer)
        super().on_train_batch_end(trainer, *rest)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Time validations apart from steps."""
        self._session.begin_validation()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add up their time."""
        self._session.end_validation()

    def state_dict(self) -> dict[str, Any]:
        """Return the end and the seconds that were used."""
        return {**super().state_dict(), "spent": self._spent + self._session.elapsed}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the end and the seconds that were used."""
        super().load_state_dict(state_dict)
        self._spent = state_dict["spent"]

    def _adjust_end(self, trainer: Trainer) -> None:
        """Move the end to where the budget is used up, in all processes alike; later only if this callback set it."""
        schedule = self._find_schedule(trainer)
        done = trainer.global_step
        left = self.seconds - self._spent - self._session.elapsed
        is_early = done - self._started_at < 2 * WARM_UP_STEPS
        counts = not is_early or self._session.elapsed > EARLY_FRACTION * self.seconds
        affordable = done + self._count_affordable(trainer, left, is_early) if counts else schedule.total_steps
        affordable = trainer.strategy.broadcast(affordable)
        is_own_end = schedule.end in (self.end, schedule.total_steps)
        wanted = min(schedule.total_steps if is_own_end else schedule.end, affordable)
        if abs(wanted - schedule.end) > 0.01 * (schedule.end - done):
            self.end_after(trainer, max(done, wanted))
        if is_early:
            self._next_check = min(self._started_at + 2 * WARM_UP_STEPS, done + 2)
        else:
            self._next_check = done + max(1, min(schedule.total_steps // MAX_CHECKS, (schedule.end - done) // 4))

    def _count_affordable(self, trainer: Trainer, seconds: float, is_early: bool) -> int:
        """Return how many steps fit into so many seconds, with the validations within them and the last one.

        After the first steps, which may be slower than all others, it is at least one if that fits.
        """
        step = self._session.step
        alone = max(0, int(seconds / step))
        if not trainer.enable_validation:
            return alone
        validation = self._session.validation or self.validation_steps * step
        if not is_early or self._session.validation:
            return self._count_beside(trainer, seconds, step, validation)
        return max(self._count_beside(trainer, seconds, step, min(validation, seconds / 2)), min(1, alone))

    @staticmethod
    def _count_beside(trainer: Trainer, seconds: float, step: float, validation: float) -> int:
        """Return how many steps fit into so many seconds beside the validations."""
        interval = _count_validation_interval(trainer)
        until_next = -trainer.global_step % interval  # 0: one begins after this step
        within, steps = 0, 0.0
        while True:
            fitting = (seconds - (within + 1) * validation) / step
            if fitting < steps:  # there is no time for another one after that
                return int(steps)
            steps = until_next + within * interval
            if fitting <= steps:
                return max(0, int(fitting))
            within += 1


class StopWhenFlat(EarlyEnd):
    """Ends a run whose validation has not improved for long, after the learning rate has fallen to its end.

    Args:
        patience: Validations without a better score, after which the end begins.
        cooldown: Fraction of the run's steps in which the learning rate falls then.
        monitor: Name of the score.
        min_delta: By how much a score must be better.
    """

    def __init__(
        self, patience: int = 8, cooldown: float = 0.15, monitor: str = "val/dice/dataset", min_delta: float = 0.001
    ) -> None:
        if patience < 1 or not 0 < cooldown < 1:
            raise MisuseError(
                f"StopWhenFlat: patience must be 1 or more and cooldown in (0, 1); got {patience} and {cooldown}."
            )
        super().__init__()
        self.patience, self.cooldown, self.monitor, self.min_delta = patience, cooldown, monitor, min_delta
        self.best = -math.inf
        self.waited = 0

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin the end after `patience` validations without a better one."""
        if trainer.sanity_checking or trainer.state.fn != "fit" or self.end is not None:
            return
        score = float(trainer.callback_metrics.get(self.monitor, math.nan))
        better = score > self.best + self.min_delta
        self.best, self.waited = (score, 0) if better else (self.best, self.waited + 1)
        schedule = self._find_schedule(trainer)
        end = trainer.global_step + max(1, round(self.cooldown * schedule.total_steps))
        if self.waited >= self.patience and end < schedule.end:
            self.end_after(trainer, end)
            rank_zero_info(
                f"{self.monitor} has not risen above {self.best:.4f} in {self.waited} validations: the learning rate "
                f"falls to its end in {end - trainer.global_step} steps, then the run ends."
            )

    def state_dict(self) -> dict[str, Any]:
        """Return the end, the best score and the number of validations without a better one."""
        return {**super().state_dict(), "best": self.best, "waited": self.waited}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the end, the best score and the validations without a better one."""
        super().load_state_dict(state_dict)
        self.best, self.waited = state_dict["best"], state_dict["waited"]


class _Stopwatch:
    """Measures how long the steps of one session take, their validations included."""

    def __init__(self, first: int) -> None:
        self._begun = self._measured = self._validation_begun = time.monotonic()
        self._first = self._last = first
        self._longest = self._validated = self._validated_before = 0.0
        self._shortest, self._step_begun = math.inf, self._begun

    @property
    def elapsed(self) -> float:
        """Seconds of the session."""
        return time.monotonic() - self._begun

    @property
    def step(self) -> float:
        """Seconds of a step, without validations: the mean, or the fastest while only the first ones were done.

        The very first can take a minute on a GPU, whose kernels are compiled then.
        """
        steps = self._last - self._first
        if self._measured == self._begun or not steps:
            return max(1e-9, self._shortest)
        return max(1e-9, time.monotonic() - self._measured - (self._validated - self._validated_before)) / steps

    @property
    def validation(self) -> float:
        """Seconds of the longest validation; 0 before the first."""
        return self._longest

    def count(self, step: int) -> None:
        """Count a step; the mean leaves out the first ones, once others were measured."""
        now = time.monotonic()
        if step > self._last:
            self._shortest = min(self._shortest, (now - self._step_begun) / (step - self._last))
            self._last, self._step_begun = step, now
        if step - self._first == WARM_UP_STEPS and self._measured == self._begun:
            self._first, self._measured, self._validated_before = step, now, self._validated

    def begin_validation(self) -> None:
        """Record when a validation begins."""
        self._validation_begun = time.monotonic()

    def end_validation(self) -> None:
        """Record how long a validation took."""
        seconds = time.monotonic() - self._validation_begun
        self._longest = max(self._longest, seconds)
        self._validated += seconds
        self._step_begun += seconds


def _count_validation_interval(trainer: Trainer) -> float:
    """Return how many optimiser steps lie between two validations; infinity where time decides or there is none."""
    batches = trainer.val_check_batch
    if batches is None or math.isinf(batches):
        return math.inf
    return max(1.0, batches * (trainer.check_val_every_n_epoch or 1) / trainer.accumulate_grad_batches)
