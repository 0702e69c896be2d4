"""Choose how many steps a run has and how often it is validated, by a budget."""

import math
from dataclasses import dataclass

from segapp.errors import MisuseError
from segapp.planning.decisions import Decision

MAX_VALIDATIONS = 20
"""Validations of a run, or fewer where they would take more than `MAX_VALIDATION_FRACTION` of its time."""
MAX_VALIDATION_FRACTION = 0.15
MIN_VALIDATIONS = 2
START_SECONDS = 15.0
"""Seconds until the first step, from reading settings to filling the loader."""
RESERVED_FRACTION = 0.05
"""Fraction of the budget that is reserved for steps slower than measured; the rest of it is not used."""
FASTER = 1.25
"""So many times the expected steps are allowed: where steps are faster than measured, they fill the budget too."""
MIN_USED_FRACTION = 0.95
"""Where complete epochs use less of the affordable steps than this, validations come within them."""
FEW_STEPS = 300
"""A plan with fewer steps says so."""
PATIENCE = 8
"""Validations without a better one, of 20, after which a run ends: more than noise, less than half a run."""


@dataclass(frozen=True)
class Pace:
    """Seconds of one step and of one validation."""

    step: float
    validation: float


@dataclass(frozen=True)
class RunLength:
    """How long a run is."""

    steps: int
    interval: int
    """Steps between two validations."""
    crops_per_image: int
    epoch: int
    """Steps of an epoch."""


def count_affordable_steps(pace: Pace, budget: float) -> float:
    """Return how many steps fit into a budget of seconds, with their validations."""
    seconds = (budget - START_SECONDS) * (1 - RESERVED_FRACTION)
    return max(0.0, seconds - count_validations(pace, budget) * pace.validation) / pace.step


def count_validations(pace: Pace, budget: float) -> int:
    """Return how often a run is validated."""
    affordable = int(MAX_VALIDATION_FRACTION * budget / max(pace.validation, 1e-9))
    return min(MAX_VALIDATIONS, max(MIN_VALIDATIONS, affordable))


def choose_run_length(pace: Pace, budget: float, images: int, batch_size: int) -> RunLength:
    """Return the run that fills a budget; MisuseError where it is too small for one epoch.

    Args:
        pace: As measured.
        budget: Seconds.
        images: To train on.
        batch_size: Samples a step.
    """
    affordable = int(count_affordable_steps(pace, budget))
    if affordable * batch_size < images or affordable < MIN_VALIDATIONS:
        least = max(math.ceil(images / batch_size), MIN_VALIDATIONS) * pace.step + MIN_VALIDATIONS * pace.validation
        minutes = math.ceil(1.2 * (least / (1 - RESERVED_FRACTION) + START_SECONDS) / 60)
        raise MisuseError(
            f"a budget of {_describe_budget(budget)} is too small for one epoch: {images} images take "
            f"{math.ceil(images / batch_size)} steps of {pace.step:.2g} s, and a validation {pace.validation:.2g} s; "
            f"set --budget {minutes}m or more."
        )
    interval = max(1, affordable // count_validations(pace, budget))
    crops = max(1, round(interval * batch_size / images))
    epoch = max(1, images * crops // batch_size)
    in_epochs = epoch * (affordable // epoch)
    if in_epochs < MIN_USED_FRACTION * affordable or (crops == 1 and epoch > 1.5 * interval):
        return RunLength(interval * (affordable // interval), interval, crops, epoch)
    return RunLength(in_epochs, epoch, crops, epoch)


def decide_training(length: RunLength, pace: Pace, budget: float, images: int, batch_size: int) -> list[Decision]:
    """Return the settings of optimiser, rate and trainer."""
    samples = length.steps * batch_size
    reason = (
        f"{length.steps} steps of {batch_size} samples see each of {images} images {samples / images:.3g} times. "
        f"On this device a step took {pace.step:.2g} s and a validation {pace.validation:.2g} s: about "
        f"{(length.steps * pace.step + length.steps / length.interval * pace.validation) / 60:.3g} of "
        f"{budget / 60:.3g} minutes. A quarter more are allowed, in case steps are faster than that."
    )
    most = length.interval * math.ceil(FASTER * length.steps / length.interval)
    if length.steps < FEW_STEPS:
        reason += " These are few: a larger --budget will give a better network."
    decay = round(min(0.999, max(0.99, 1 - 50 / length.steps)), 4)
    return [
        Decision("model.optimizer", _make_part("torch.optim.AdamW", lr=1e-3, weight_decay=1e-4), ""),
        Decision(
            "model.lr_scheduler",
            _make_part("segapp.schedules.WarmupCosine", warmup=0.05),
            "Rises for a twentieth of the steps and falls to zero with the last one.",
        ),
        Decision("trainer.max_steps", most, reason),
        *_decide_validation(length),
        Decision("trainer.gradient_clip_val", 1.0, ""),
        Decision(
            "trainer.callbacks",
            [
                _make_part("segapp.callbacks.EMA", decay=decay),
                _make_part(
                    "segapp.callbacks.TimeBudget",
                    minutes=round(budget / 60, 2),
                    validation_steps=round(pace.validation / pace.step, 1),
                ),
                _make_part("segapp.callbacks.StopWhenFlat", patience=PATIENCE),
                _make_part("segapp.callbacks.SamplePictures"),
            ],
            f"The average of the weights reaches back over about {1 / (1 - decay):.0f} steps. The schedule is "
            f"shortened to what fits into the budget; after {PATIENCE} validations without a better one the learning "
            "rate falls to zero and the run ends.",
        ),
    ]


def _decide_validation(length: RunLength) -> list[Decision]:
    if length.interval == length.epoch:
        return []
    reason = f"An epoch has {length.epoch} steps; validations do not wait for its end."
    return [
        Decision("trainer.val_check_interval", length.interval, reason),
        Decision("trainer.check_val_every_n_epoch", None, ""),
    ]


def _make_part(class_path: str, **init_args: object) -> dict[str, object]:
    return {"class_path": class_path, "init_args": init_args}


def _describe_budget(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 60 else f"{seconds / 60:.3g} minutes"
