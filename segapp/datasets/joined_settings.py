"""Checks of the settings of joined data sets: names, weights, classes, and what must agree."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from segapp.datasets.source import Source
from segapp.errors import MisuseError
from segapp.palette import choose_palette
from segapp.spec import CONTROL, LONGEST_NAME

Classes = tuple[tuple[str, ...], int | None, tuple[tuple[int, int, int], ...]]
"""Names, background and palette."""


def list_names(names: Sequence[str], count: int) -> tuple[str, ...]:
    """Return the names of data sets, numbers where none are given; MisuseError for what cannot begin a file's name."""
    if not names:
        return tuple(str(number + 1) for number in range(count))
    if isinstance(names, str) or len(names) != count or len(set(names)) < count:
        raise MisuseError(f"names: {count} different names are needed, one for each of `sources`, got {names!r:.200}.")
    for name in names:
        if not name or name.strip(" .") != name or len(name) > LONGEST_NAME or CONTROL.search(name) or "/" in name:
            raise MisuseError(f"names: {name!r:.120} should be a word such as 'clinic_a', without '/'.")
    return tuple(names)


def list_weights(weights: Sequence[float], count: int) -> tuple[float, ...]:
    """Return the weights of data sets; MisuseError for others than one above 0 for each."""
    if weights and (len(weights) != count or not all(0 < weight < math.inf for weight in weights)):
        raise MisuseError(f"weights: {count} numbers above 0 are needed, one for each of `sources`, got {weights}.")
    return tuple(map(float, weights))


def join_classes(sources: Mapping[str, Source]) -> Classes:
    """Return the classes of data sets, those of the first first; MisuseError where backgrounds differ.

    Colours are those of the first data set that has the class, unless two are equal: then all are chosen anew.
    """
    (first_name, first), *others = sources.items()
    colours = dict(zip(first.classes, first.palette, strict=True))
    for name, source in others:
        if _name_background(source) != _name_background(first):
            raise MisuseError(
                f"background: it is {_name_background(first)!r} in the data set {first_name} and "
                f"{_name_background(source)!r} in {name}; set it to the same class in both, or to null."
            )
        only = set(first.classes) ^ set(source.classes)
        if only and first.background is None:
            raise MisuseError(
                f"sources: {', '.join(map(repr, sorted(only)))} is in one of the data sets {first_name} and {name} "
                "only. Where it was not labelled its pixels are background, but `background` is null: set it."
            )
        colours = dict(zip(source.classes, source.palette, strict=True)) | colours
    classes = tuple(dict.fromkeys(name for source in sources.values() for name in source.classes))
    palette = tuple(colours[name] for name in classes)
    is_clear = len(set(palette)) == len(palette) or classes == first.classes
    return classes, first.background, palette if is_clear else choose_palette(len(classes), first.background)


def require_equal(values: Mapping[str, Any], what: str, ignored: Any = None) -> Any:
    """Return the one value of all data sets, or `ignored` where none has another; MisuseError where they differ."""
    given = {name: value for name, value in values.items() if value != ignored}
    (first_name, first), *others = given.items() or [("", ignored)]
    for name, value in others:
        if value != first:
            raise MisuseError(
                f"{what}: the data set {first_name} has {first}, and {name} has {value}. A network reads all images "
                f"alike: set `{what}` to the same value in both."
            )
    return first


def _name_background(source: Source) -> str | None:
    return None if source.background is None else source.classes[source.background]
