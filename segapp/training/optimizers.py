"""Make the optimiser and the learning-rate scheduler of a training, and step schedulers that wait for plateaus."""

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from segapp.errors import MisuseError
from segapp.schedules import WarmupCosine

FUSED = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD)


def make_optimizer(factory: OptimizerCallable, parameters: Any) -> Optimizer:
    """Return the optimiser of the parameters; MisuseError for settings that its class refuses."""
    try:
        return factory(parameters)
    except (ValueError, TypeError) as error:
        raise MisuseError(f"model.optimizer: {error}.") from error


def make_scheduler(factory: LRSchedulerCallable, optimizer: Optimizer) -> Any:
    """Return the scheduler of an optimiser; MisuseError for settings that its class refuses, or for `check_rates`."""
    try:
        scheduler = factory(optimizer)
    except (ValueError, TypeError) as error:
        raise MisuseError(f"model.lr_scheduler: {error}.") from error
    check_rates(optimizer, scheduler)
    return scheduler


def fuse_steps(optimizer: Optimizer, device: str) -> None:
    """Let torch's own optimisers step in one kernel, unless the user has chosen `fused` or `foreach`.

    A third of the time on a CPU. Set in the groups, not when the optimiser is made: it would then also claim to
    undo the scaling of fp16 in its step, after gradients are clipped, and Lightning would refuse to clip.
    """
    if not isinstance(optimizer, FUSED) or device not in ("cpu", "cuda"):
        return
    for group in optimizer.param_groups:
        if group["fused"] is None and group["foreach"] is None and not group["differentiable"]:
            group["fused"] = True


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
            f"model.lr_scheduler: {type(scheduler).__name__} sets one learning rate for the whole network, but "
            "model.encoder_lr and model.layer_decay need several: use segapp.schedules.WarmupCosine."
        )


def configure_scheduler(scheduler: Any, scores: Sequence[str]) -> dict[str, Any]:
    """Return Lightning's configuration of a scheduler: when it is stepped.

    Args:
        scheduler: Of the optimiser.
        scores: The names that a validation logs, among which a `ReduceLROnPlateau` must find its own.

    Raises:
        MisuseError: A `ReduceLROnPlateau` monitors a name that is not logged, or a loss that it expects to rise.
    """
    if isinstance(scheduler, WarmupCosine):
        return {"scheduler": scheduler, "interval": "step"}
    if isinstance(scheduler, ReduceLROnPlateau):
        _check_monitor(scheduler, scores)
        # Stepped by `step_plateau_schedulers`: Lightning steps it after the checkpoint of an epoch is written, and not
        # at all in the epoch in which a run was resumed.
        return {"scheduler": scheduler, "monitor": "val/loss", "strict": False, "frequency": sys.maxsize}
    return {"scheduler": scheduler, "interval": "epoch"}


def step_plateau_schedulers(schedulers: Any, scores: Mapping[str, float]) -> None:
    """Step every `ReduceLROnPlateau` by its score of the validation that has just ended.

    Args:
        schedulers: As Lightning's `lr_schedulers()` returns them: None, one or a list.
        scores: Of the validation, by name.
    """
    for scheduler in schedulers if isinstance(schedulers, list) else [schedulers]:
        if isinstance(scheduler, ReduceLROnPlateau):
            scheduler.step(scores[_get_monitor(scheduler)])


def _check_monitor(scheduler: ReduceLROnPlateau, scores: Sequence[str]) -> None:
    monitor = _get_monitor(scheduler)
    if monitor not in scores:
        raise MisuseError(
            f"model.lr_scheduler: {monitor!r} is not logged by a validation, so it cannot be monitored. "
            f"Choose from {', '.join(name for name in scores if name.count('/') < 3)}, or a score of one class."
        )
    if monitor == "val/loss" and scheduler.mode == "max":
        raise MisuseError(
            "model.lr_scheduler: ReduceLROnPlateau monitors val/loss, where less is better: set mode to min, or name a "
            "score: class_path lightning.pytorch.cli.ReduceLROnPlateau with monitor: val/dice/dataset."
        )


def _get_monitor(scheduler: ReduceLROnPlateau) -> str:
    """Return the name that the scheduler monitors: an attribute of Lightning's class, absent from torch's."""
    return str(getattr(scheduler, "monitor", "val/loss"))
