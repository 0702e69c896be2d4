"""Find widths at which two variants of a network have the same number of parameters."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from segapp.errors import MisuseError

Build = Callable[[list[int]], nn.Module]


def count_params(net: nn.Module) -> int:
    """Count trainable and frozen parameters; buffers are not parameters."""
    return sum(parameter.numel() for parameter in net.parameters())


def match_params(build: Build, widths: Sequence[int], target: int, tolerance: float = 0.01) -> list[int]:
    """Find widths shaped like `widths` at which `build(widths)` has `target` parameters, within the tolerance.

    All widths are scale_widths together, then single levels are adjusted: one step of a common factor is already
    6 to 13 %. They stay multiples of 16 where that suffices, else of 8, 4, 2, 1 (fast kernels, even groups).
    Nothing is allocated. Raises MisuseError with the nearest widths when the target is out of reach.

        match_params(lambda widths: UNet(3, 2, partial(PlainEncoder, widths=widths)), (32, 64, 128), 500_000)
    """
    count = _make_counter(build)
    best: list[int] = []
    for step in (16, 8, 4, 2, 1):
        found = _adjust(count, _scale(count, widths, target, step), target, step)
        if not best or abs(count(found) - target) < abs(count(best) - target):
            best = found
        if abs(count(best) - target) <= tolerance * target:
            return best
    raise MisuseError(
        f"no widths shaped like {list(widths)} give {target:,} parameters within {tolerance:.1%}; "
        f"the nearest are {best} with {count(best):,}."
    )


def _make_counter(build: Build) -> Callable[[Sequence[int]], int]:
    known: dict[tuple[int, ...], int] = {}

    def count(widths: Sequence[int]) -> int:
        key = tuple(widths)
        if key not in known:
            with torch.device("meta"), _WithoutSampling():
                known[key] = count_params(build(list(key)))
        return known[key]

    return count


class _WithoutSampling(TorchFunctionMode):
    """Leaves weights unsampled: they have no values on the meta device, but sampling them takes a third of a search."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_):
            return kwargs["tensor"]
        return func(*args, **(kwargs or {}))


def _scale(count: Callable[[Sequence[int]], int], widths: Sequence[int], target: int, step: int) -> list[int]:
    """Scale to the widest multiples of `step`, in the shape of `widths`, that do not exceed the target."""

    def scale_widths(factor: float) -> list[int]:
        return [max(step, round(width * factor / step) * step) for width in widths]

    low, high = 0.0, 1.0
    while count(scale_widths(high)) <= target and high < 1024:
        low, high = high, 2 * high
    while high - low > 1e-4 * high and scale_widths(low) != scale_widths(high):
        middle = (low + high) / 2
        low, high = (middle, high) if count(scale_widths(middle)) <= target else (low, middle)
    return scale_widths(low)


def _adjust(count: Callable[[Sequence[int]], int], widths: list[int], target: int, step: int) -> list[int]:
    """Move one level by one step at a time, always the one that comes nearest, until none comes nearer."""
    while True:
        neighbours = [
            [*widths[:level], width + change, *widths[level + 1 :]]
            for level, width in enumerate(widths)
            for change in (step, -step)
            if width + change >= step
        ]
        nearest = min(neighbours, key=lambda candidate: abs(count(candidate) - target))
        if abs(count(nearest) - target) >= abs(count(widths) - target):
            return widths
        widths = nearest
