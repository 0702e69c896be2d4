"""The classes that masks show where they are, for all images or for each."""

import csv
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from segapp.datasets.masks.remapped_mask import UNKNOWN, RemappedMask
from segapp.datasets.source import MaskReference
from segapp.errors import MisuseError, suggest
from segapp.spec import find_volume_name
from segapp.system.text_files import read_text

COLUMNS = ("name", "classes")
SEPARATOR = ";"


class LookedFor:
    """Which classes were looked for in each image.

    Args:
        given: Names of classes, or a table relative to `root`, as `looked_for.csv`, with the columns `name` and
            `classes`, which are separated by semicolons; None for all classes in all images.
        root: The folder of the data set.
        classes: Names of all classes.
        background: The class of pixels that show none of those that were looked for; it need not be listed.
    """

    def __init__(
        self, given: str | Sequence[str] | None, root: Path, classes: Sequence[str], background: int | None
    ) -> None:
        if given is not None and background is None:
            raise MisuseError(
                "looked_for: where a class was not looked for its pixels are labelled as background, but `background` "
                "is null; set it to a class."
            )
        self._root, self._classes, self._background = root, tuple(classes), background
        self._table = given if isinstance(given, str) else None
        self._all = None if given is None or isinstance(given, str) else self._list_classes("looked_for", given)

    def find(self, name: str) -> tuple[bool, ...] | None:
        """Return for each class whether it was looked for in an image; None where all were.

        Raises MisuseError for an image that the table does not list.
        """
        looked_for = self._all
        if self._table is not None:
            rows, volume = self._rows, find_volume_name(name)
            row = rows.get(name, rows.get(volume) if volume else None)
            if row is None:
                raise MisuseError(
                    f"{self._root / self._table}: has no row for the image {name!r}{suggest(name, rows)}; list every "
                    "image (or volume), with all classes where all were looked for."
                )
            looked_for = row
        return None if looked_for is None or all(looked_for) else looked_for

    @cached_property
    def _rows(self) -> Mapping[str, tuple[bool, ...]]:
        assert self._table is not None
        file = self._root / self._table
        if not file.is_file():
            raise MisuseError(f"{file}: there is no such table; `looked_for` names one relative to `root`.")
        reader = csv.DictReader(read_text(file).splitlines())
        if not set(COLUMNS) <= set(reader.fieldnames or ()):
            raise MisuseError(f"{file}: needs the columns {' and '.join(COLUMNS)}, got {reader.fieldnames}.")
        rows: dict[str, tuple[bool, ...]] = {}
        for number, row in enumerate(reader, start=2):
            name, listed = row["name"] or "", row["classes"] or ""
            if name in rows:
                raise MisuseError(f"{file}: lists the image {name!r} twice.")
            names = [one.strip() for one in listed.split(SEPARATOR) if one.strip()]
            rows[name] = self._list_classes(f"{file}, line {number}", names)
        return rows

    def _list_classes(self, where: str, names: Sequence[str]) -> tuple[bool, ...]:
        unknown = [name for name in names if name not in self._classes]
        if unknown:
            raise MisuseError(
                f"{where}: {unknown[0]!r} is no class{suggest(unknown[0], self._classes)}; classes are "
                f"{', '.join(self._classes)}{', separated by semicolons' if len(names) == 1 else ''}."
            )
        return tuple(name in names or index == self._background for index, name in enumerate(self._classes))


def restrict_mask(mask: MaskReference, looked_for: tuple[bool, ...] | None) -> MaskReference:
    """Return the mask, which raises MisuseError when it is read and holds a class that was not looked for."""
    if looked_for is None:
        return mask
    return RemappedMask(mask, [index if known else UNKNOWN for index, known in enumerate(looked_for)])
