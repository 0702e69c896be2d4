"""Checks that the saved state of optimisers and schedulers fits those it is restored into.

torch checks little of it before it computes, and its fused kernels rely on unchecked shapes and strides.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from segapp.checkpoints.training_state import AVERAGES
from segapp.errors import MisuseError

SCALARS = ("step", "mu_product", "eta", "mu")
"""State of an optimiser that is one number per parameter."""

RATES = ("base_lrs", "_last_lr")
"""State of a scheduler that is one number per parameter group."""


def require_fitting_state(
    optimizers: Sequence[Optimizer],
    schedulers: Sequence[Any],
    states: Sequence[Mapping[str, Any]],
    schedules: Sequence[Mapping[str, Any]],
) -> None:
    """Raise MisuseError unless the states of a checkpoint can be restored into optimisers and schedulers.

    Args:
        optimizers: As they were made, without a state.
        schedulers: As they were made.
        states: Those of the optimisers, as `state_dict` gave them.
        schedules: Those of the schedulers.
    """
    if len(states) != len(optimizers) or len(schedules) != len(schedulers):
        raise _make_misfit_error(f"it holds {len(states)} optimisers and {len(schedules)} schedulers")
    for optimizer, state in zip(optimizers, states, strict=True):
        for wrong in chain(_check_groups(optimizer, state), _check_parameters(optimizer, state)):
            raise _make_misfit_error(wrong)
    for scheduler, schedule in zip(schedulers, schedules, strict=True):
        for wrong in _check_schedule(scheduler, schedule):
            raise _make_misfit_error(wrong)


def _make_misfit_error(wrong: str) -> MisuseError:
    return MisuseError(
        f"the checkpoint's optimiser does not fit this network: {wrong}. Give another checkpoint of its run, or start "
        "a new run from its weights: segapp fit --init_from."
    )


def _check_groups(optimizer: Optimizer, state: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the groups of parameters and their settings."""
    groups = state["param_groups"]
    if len(groups) != len(optimizer.param_groups):
        yield f"{len(groups)} groups of parameters instead of {len(optimizer.param_groups)}"
    for there, here in zip(groups, optimizer.param_groups, strict=False):
        listed = there.get("params")
        if not isinstance(listed, list) or not all(type(one) is int for one in listed):
            yield "a group lists no parameters"
        elif len(listed) != len(here["params"]):
            yield f"a group of {len(listed)} parameters instead of {len(here['params'])}"
        for key in here.keys() & there.keys() - {"params"}:
            if not _is_like(there[key], here[key]):
                yield f"{key} is {there[key]!r:.60}"


def _check_parameters(optimizer: Optimizer, state: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the state of single parameters."""
    parameters = list(chain.from_iterable(group["params"] for group in optimizer.param_groups))
    order = list(chain.from_iterable(group["params"] for group in state["param_groups"]))
    known = dict(zip(order, parameters, strict=False))
    if len(known) != len(parameters) or not state["state"].keys() <= known.keys():
        yield "its parameters are not numbered once each"
    for number, kept in state["state"].items():
        for key, value in kept.items():
            if key in SCALARS and not _is_number(value):
                yield f"{key} of a parameter is no number"
            elif key in AVERAGES and value is not None and not _is_laid_out_like(value, known[number]):
                yield f"{key} of a parameter of {tuple(known[number].shape)} has {tuple(value.shape)}, or other strides"


def _check_schedule(scheduler: Any, state: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the state of a scheduler, whose values become its attributes."""
    fresh = scheduler.state_dict()
    for key, value in state.items():
        if key not in fresh and hasattr(scheduler, str(key)):
            yield f"its schedule would replace {key}"
        elif key in fresh and not _is_like(value, fresh[key]):
            yield f"{key} of its schedule is {value!r:.60}"
        elif key in RATES and key in fresh and len(value) != len(fresh[key]):
            yield f"{key} of its schedule are {len(value)} instead of {len(fresh[key])}"


def _is_like(value: Any, own: Any) -> bool:
    """Return whether a value is of the kind of another: numbers, text, lists or mappings of them; None is any."""
    if value is None or own is None:
        return True
    if _is_number(own):
        return _is_number(value)
    if isinstance(own, list | tuple):
        fits = isinstance(value, list | tuple) and (isinstance(own, list) or len(value) == len(own))
        return fits and all(_is_like(one, own[0]) for one in value if own)
    if isinstance(own, Mapping):
        return isinstance(value, Mapping)
    return isinstance(value, type(own))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) or (isinstance(value, Tensor) and value.numel() == 1)


def _is_laid_out_like(value: Tensor, parameter: Tensor) -> bool:
    """Return whether a tensor has a parameter's shape, and its strides or those of a contiguous tensor."""
    return value.shape == parameter.shape and (value.is_contiguous() or value.stride() == parameter.stride())
