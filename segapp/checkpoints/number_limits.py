"""Limits the numbers in a file's settings: with larger ones, memory, files or time grow without end."""

from collections.abc import Mapping
from math import prod
from typing import Any

from segapp.checkpoints.roles import (
    CALLBACK,
    LOGGER,
    NETWORK,
    OPTIMIZER,
    PROFILER,
    SCHEDULER,
    SOURCE,
    TRANSFORM,
    Role,
)
from segapp.errors import MisuseError
from segapp.spec import LARGEST_WINDOW

SECTION_LIMITS: dict[str, int] = {
    "data.batch_size": 2**12,
    "data.crops_per_image": 2**12,
    "data.crop": LARGEST_WINDOW,
    "data.resize": LARGEST_WINDOW,
    "data.window": LARGEST_WINDOW,
}
"""Limits of single settings of the sections."""

ROLE_LIMITS: dict[str, int] = {
    NETWORK.name: 2**12,
    TRANSFORM.name: 2**12,
    **{role.name: 10**7 for role in (CALLBACK, LOGGER, OPTIMIZER, PROFILER, SCHEDULER)},
}
"""Limits of all numbers of a part."""

ARGUMENT_LIMITS: dict[tuple[str, str], int] = {
    (SOURCE.name, "size"): 2**12,  # of generated images
    **{(SOURCE.name, split): 10**5 for split in ("train", "val", "test")},
    **{(OPTIMIZER.name, name): 1000 for name in ("history_size", "max_eval", "max_iter")},  # LBFGS, within one step
    **{(TRANSFORM.name, name): 16 for name in ("scale", "scale_limit", "scale_range", "percent", "max_factor")},
}
"""Limits of single arguments, where a part's limit is too high or missing."""

SMALLEST = {(TRANSFORM.name, "step_factor"): 1e-3}
"""Smallest steps by which a transform counts up to another number."""

MOST_PIXELS = 2**28
"""Most pixels of a batch."""


def require_within_limit(value: float, role: Role | None, place: str) -> None:
    """Raise MisuseError for a number that is more than a file may ask for; `place` names it, as `data.batch_size`."""
    key = place.rpartition(".")[2]
    name = "" if role is None else role.name
    limit = SECTION_LIMITS.get(place, ARGUMENT_LIMITS.get((name, key), ROLE_LIMITS.get(name)))
    if limit is not None and abs(value) > limit:
        raise MisuseError(f"{place}: {value:,} is more than a file may ask for ({limit:,}).{suggest_option(place)}")
    if abs(value) < SMALLEST.get((name, key), 0):
        raise MisuseError(f"{place}: {value} is less than a file may ask for.{suggest_option(place)}")


def require_small_batch(data: Mapping[str, Any]) -> None:
    """Raise MisuseError for a data section whose batches have more than `MOST_PIXELS`."""
    for key in ("crop", "resize"):
        size = data.get(key)
        sides = size if isinstance(size, list | tuple) else [size or 0] * 2
        if not all(isinstance(number, int) for number in (*sides, data.get("batch_size", 1))):
            raise MisuseError(
                f"data.{key}, data.batch_size: expected whole numbers, got {size} and {data.get('batch_size')}."
            )
        pixels = data.get("batch_size", 1) * prod(sides)
        if pixels > MOST_PIXELS:
            raise MisuseError(
                f"data.batch_size: {pixels:,} pixels in a batch, more than a file may ask for ({MOST_PIXELS:,}). "
                f"Give your own with --data.batch_size or --data.{key}."
            )


def suggest_option(place: str) -> str:
    """Suggest the option that takes the place of a setting; none outside a config's sections."""
    section, *keys = place.split(".")
    if section not in ("data", "trainer") or not keys:
        return ""
    inside = f".init_args.{keys[1]}" if keys[0] == "source" and len(keys) == 2 else ""
    return f" Give your own with --{section}.{keys[0]}{inside}."
