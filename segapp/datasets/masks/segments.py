"""Masks whose values have names: those of classes are these classes, whatever their numbers."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from segapp.datasets.masks.encoding import Labels
from segapp.errors import MisuseError


def assign_names(path: Path, stored: np.ndarray, names: Mapping[int, str], labels: Labels) -> np.ndarray:
    """Return class indices of values that are named as classes; the values themselves where no name is that of a class.

    Args:
        path: The mask, for messages.
        stored: (H, W) whole numbers; 0 has no name and is the background.
        names: Of the values of the whole file.
        labels: The classes.

    Raises:
        MisuseError: Some names are classes and others are not, or a value has no name.
    """
    classes = {name.strip().casefold(): index for index, name in enumerate(labels.classes)}
    found = {value: classes.get(name.strip().casefold()) for value, name in names.items() if value}
    if all(index is None for index in found.values()):
        return stored
    if missing := [value for value, index in found.items() if index is None]:
        shown = ", ".join(f"{value} {names[value]!r}" for value in missing[:4])
        raise MisuseError(
            f"{path}: the segments {shown} are named as no class ({', '.join(labels.classes)}), and others are. Add "
            "them to `classes`, or set mask to segapp.datasets.Indices with values, such as "
            f"{{{missing[0]}: 255}} to ignore one, for all segments."
        )
    table = np.zeros(max(found) + 1, np.int64)
    table[0] = labels.background
    for value, index in found.items():
        table[value] = labels.background if index is None else index
    if unknown := [int(value) for value in np.unique(stored) if value not in found and value]:
        raise MisuseError(f"{path}: holds the segments {unknown}, which it does not name; save the mask again.")
    return table[stored]
