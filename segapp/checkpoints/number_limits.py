"""Limits the numbers in a file's settings: with larger ones, memory, files or time grow without end."""

from collections.abc import Iterator, Mapping
from math import inf, prod
from pathlib import Path
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
    (NETWORK.name, "head_kernel"): 31,
    (SOURCE.name, "size"): 2**12,  # of generated images
    **{(SOURCE.name, split): 10**5 for split in ("train", "val", "test")},
    **{(OPTIMIZER.name, name): 1000 for name in ("history_size", "max_eval", "max_iter")},  # LBFGS, within one step
    **{(TRANSFORM.name, name): 16 for name in ("scale", "scale_limit", "scale_range", "percent", "max_factor")},
    (TRANSFORM.name, "num_control_points"): 16,  # on each side; ThinPlateSpline solves for the square of their number
    **{(TRANSFORM.name, name): 64 for name in ("grid", "nb_cols", "nb_rows", "num_grid_xy", "num_steps")},
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


LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 0.01, 100.0
"""Limits of the temperature of a network, by which its logits are divided before the softmax."""


def read_temperature(path: str | Path, value: Any) -> float:
    """Return a temperature that a file holds, 1 for None; raise MisuseError for one that no network needs."""
    if value is None:
        return 1.0
    if type(value) not in (int, float) or not LOWEST_TEMPERATURE <= value <= HIGHEST_TEMPERATURE:  # NaN is neither
        raise MisuseError(
            f"{path}: temperature must be a number of {LOWEST_TEMPERATURE:g} … {HIGHEST_TEMPERATURE:g}, got "
            f"{value!r:.40}; fit it again with segapp validate --calibrate."
        )
    return float(value)


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


MOST_SIDE, MOST_GROWTH = 2**13, 4.0
"""Longest side of a sample in pixels, and the factor by which transforms enlarge one, all of a list together."""

SIDES = ("height", "width", "min_height", "min_width", "max_size", "max_size_hw", "size", "x_max", "y_max")
"""Arguments of transforms that give a sample a size."""

BORDERS = ("padding", "px", "pad_height_divisor", "pad_width_divisor")
"""Arguments of transforms that add pixels to each side."""

FACTORS = {"scale_limit": 1.0, "percent": 2.0}
"""Arguments of transforms that enlarge a sample by 1 + factor x their value."""


def require_small_samples(data: Mapping[str, Any]) -> None:
    """Raise MisuseError for transforms that together make samples larger than `MOST_SIDE`, however small each one is.

    Crops in between do not count: a sample may be as large as all that enlarges it.
    """
    side, growth = max(1.0, *(_find_largest(data.get(key)) for key in ("crop", "resize"))), 1.0
    for path, arguments in _list_parts(data.get("augment")):
        for name, value in arguments.items():
            factor = 1 + FACTORS.get(name, 0) * _find_largest(value)
            if (name == "fit_output" and value) or (name in SIDES and path.endswith("SmallestMaxSize")):
                factor = inf  # the other side is as long as it comes
            largest = _find_largest(value)
            side = max(side, largest) if name in SIDES else side + 2 * largest if name in BORDERS else side
            side, growth = side * factor, growth * factor
    if not (side <= MOST_SIDE and growth <= MOST_GROWTH):  # NaN is neither
        raise MisuseError(
            f"data.augment: its transforms together may make samples with a side of more than {MOST_SIDE:,} pixels, or "
            f"{MOST_GROWTH:g} times as long, more than a file may ask for. Give your own with --data.augment."
        )


def _list_parts(config: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """List the class_path and init_args of all parts of settings, in order, those inside of others too."""
    if isinstance(config, list | tuple):
        for value in config:
            yield from _list_parts(value)
    elif isinstance(config, Mapping):
        if "class_path" in config:
            yield str(config["class_path"]), config.get("init_args") or {}
        for value in config.values():
            yield from _list_parts(value)


def _find_largest(value: Any) -> float:
    """Return the largest number in settings, without its sign; 0 where there is none."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return max(map(_find_largest, value), default=0.0)
    return abs(float(value)) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


def suggest_option(place: str) -> str:
    """Suggest the option that takes the place of a setting; none outside a config's sections."""
    section, *keys = place.split(".")
    if section not in ("data", "trainer") or not keys:
        return ""
    inside = f".init_args.{keys[1]}" if keys[0] == "source" and len(keys) == 2 else ""
    return f" Give your own with --{section}.{keys[0]}{inside}."
