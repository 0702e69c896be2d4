"""How many steps, how often validated, and with what rate."""

import math
from dataclasses import dataclass

from segapp.errors import MisuseError
from segapp.planning.decisions import Decision

VALIDATIONS = 20
"""A run is validated so many times, or less often where that would take more than `VALIDATING` of its time."""
VALIDATING = 0.15
FEWEST = 4
START = 15.0
"""Seconds until the first step, from reading settings to filling the loader."""
SPARED = 0.05
"""Fraction of the budget that is kept for what is slower than measured; what is left of it is not used."""
FEW_STEPS = 300
PATIENCE = 8
"""Validations without a better one, of 20, after which a run is ended: more than noise, less than half a run."""


@dataclass(frozen=True)
class Pace:
    """What one step and one validation take, in seconds."""

    step: float
    validation: float


@dataclass(frozen=True)
class Schedule:
    """How long a run is."""

    steps: int
    interval: int
    """Steps between two validations."""
    crops_per_image: int
    epoch: int
    """Steps of an epoch."""


def count_affordable_steps(pace: Pace, budget: float) -> float:
    """Return how many steps fit into a budget of seconds, with their validations."""
    seconds = (budget - START) * (1 - SPARED)
    return max(0.0, seconds - count_validations(pace, budget) * pace.validation) / pace.step


def count_validations(pace: Pace, budget: float) -> int:
    """Return how often a run is validated."""
    affordable = int(VALIDATING * budget / max(pace.validation, 1e-9))
    return min(VALIDATIONS, max(FEWEST, affordable))


def plan_schedule(pace: Pace, budget: float, images: int, batch_size: int) -> Schedule:
    """Return the schedule of a budget; MisuseError where it is too small for one look at every image.

    Args:
        pace: As measured.
        budget: Seconds.
        images: To train on.
        batch_size: Samples a step.
    """
    affordable = int(count_affordable_steps(pace, budget))
    if affordable * batch_size < images or affordable < FEWEST:
        least = max(math.ceil(images / batch_size), FEWEST) * pace.step + FEWEST * pace.validation
        minutes = math.ceil(1.2 * (least / (1 - SPARED) + START) / 60)
        raise MisuseError(
            f"a budget of {budget / 60:.3g} minutes is too small for one epoch: {images} images take "
            f"{math.ceil(images / batch_size)} steps of {pace.step:.2g} s, and a validation {pace.validation:.2g} s; "
            f"give --budget {minutes}m or more."
        )
    interval = max(1, affordable // count_validations(pace, budget))
    crops = max(1, round(interval * batch_size / images))
    epoch = max(1, images * crops // batch_size)
    if crops == 1 and epoch > 1.5 * interval:
        return Schedule(interval * (affordable // interval), interval, 1, epoch)
    return Schedule(epoch * max(1, affordable // epoch), epoch, crops, epoch)


def decide_schedule(schedule: Schedule, pace: Pace, budget: float, images: int, batch_size: int) -> list[Decision]:
    """Return the settings of optimiser, rate and trainer."""
    samples = schedule.steps * batch_size
    told = (
        f"{schedule.steps} steps of {batch_size} samples see each of {images} images {samples / images:.3g} times. "
        f"On this device a step took {pace.step:.2g} s and a validation {pace.validation:.2g} s: about "
        f"{(schedule.steps * pace.step + schedule.steps / schedule.interval * pace.validation) / 60:.3g} of "
        f"{budget / 60:.3g} minutes."
    )
    if schedule.steps < FEW_STEPS:
        told += " These are few: a larger --budget will give a better network."
    decay = round(min(0.999, max(0.99, 1 - 50 / schedule.steps)), 4)
    return [
        Decision("model.optimizer", _make_part("torch.optim.AdamW", lr=1e-3, weight_decay=1e-4), ""),
        Decision(
            "model.lr_scheduler",
            _make_part("segapp.schedules.WarmupCosine", warmup=0.05),
            "Rises for a twentieth of the steps and falls to zero with the last one.",
        ),
        Decision("trainer.max_steps", schedule.steps, told),
        *_decide_validation(schedule),
        Decision("trainer.gradient_clip_val", 1.0, ""),
        Decision(
            "trainer.callbacks",
            [
                _make_part("segapp.callbacks.EMA", decay=decay),
                _make_part("segapp.callbacks.TimeBudget", minutes=round(budget / 60, 2)),
                _make_part("segapp.callbacks.StopWhenFlat", patience=PATIENCE),
                _make_part("segapp.callbacks.SamplePictures"),
            ],
            f"The average of the weights reaches back over about {1 / (1 - decay):.0f} steps. Where steps are slower "
            f"than measured, the schedule is shortened to the budget; after {PATIENCE} validations without a better "
            "one the learning rate falls to zero and the run ends.",
        ),
    ]


def _decide_validation(schedule: Schedule) -> list[Decision]:
    if schedule.interval == schedule.epoch:
        return []
    reason = f"An epoch has {schedule.epoch} steps, so validations come within it."
    return [
        Decision("trainer.val_check_interval", schedule.interval, reason),
        Decision("trainer.check_val_every_n_epoch", None, ""),
    ]


def _make_part(class_path: str, **init_args: object) -> dict[str, object]:
    return {"class_path": class_path, "init_args": init_args}
