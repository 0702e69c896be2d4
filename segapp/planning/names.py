"""Read class names from a table beside the data."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MAX_BYTES = 2**22
"""Of a table of class names; a larger file is not read as one."""

FILES = ("classes.csv", "class_dict.csv", "labels.csv", "classes.txt", "class_names.txt", "labels.txt", "dataset.json")
"""Names of tables that are looked for, in this order."""
IGNORED = frozenset({"__ignore__", "ignore", "void", "unlabelled", "unlabeled"})
"""Names of values that are no class."""
BACKGROUND = frozenset({"background", "_background_", "bg", "none", "other"})

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class NameTable:
    """Class names and, where the table has them, the stored values or colours of each class."""

    path: Path
    names: tuple[str, ...]
    """In the order of the table, `IGNORED` ones included."""
    values: tuple[int, ...]
    """The stored value of each name: that of its column, or its position in the file."""
    colours: tuple[Colour, ...] | None = None

    @property
    def by_value(self) -> dict[int, str]:
        """The names by the stored values."""
        return dict(zip(self.values, self.names, strict=True))

    @property
    def by_colour(self) -> dict[Colour, str]:
        """The names by the colours; empty where the table has none."""
        return dict(zip(self.colours or (), self.names, strict=False))


def find_names(folders: Sequence[Path]) -> NameTable | None:
    """Return the first table of class names in one of the folders, or None.

    No link is followed: lines of a file that lies elsewhere would become names of classes.
    """
    for folder in dict.fromkeys(folders):
        for name in FILES:
            path = folder / name
            if path.is_file() and not path.is_symlink() and (table := _read_table(path)) is not None:
                return table
    return None


def _read_table(path: Path) -> NameTable | None:
    if path.stat().st_size > MAX_BYTES:
        return None
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    if path.suffix == ".json":
        return _read_json(path, text)
    if path.suffix == ".csv":
        return _read_csv(path, text)
    names = [line.strip() for line in text.splitlines() if line.strip()]
    if names and names[0] == "__ignore__":  # labelme's list starts at -1
        names = names[1:]
    return NameTable(path, tuple(names), tuple(range(len(names)))) if _is_list_of_names(names) else None


def _read_csv(path: Path, text: str) -> NameTable | None:
    rows = [
        {key.strip().lower(): (value or "").strip() for key, value in row.items() if key} for row in _read_rows(text)
    ]
    column = next((name for name in ("name", "class", "class_name", "label") if rows and name in rows[0]), None)
    if column is None or not _is_list_of_names([row[column] for row in rows]):
        return None
    numbers = next((name for name in ("value", "index", "id", "label") if name in rows[0] and name != column), None)
    try:
        values = [int(row[numbers]) for row in rows] if numbers else list(range(len(rows)))
        colours = [(int(row["r"]), int(row["g"]), int(row["b"])) for row in rows] if "r" in rows[0] else None
    except (KeyError, ValueError):
        return None
    names = tuple(row[column] for row in rows)
    return NameTable(path, names, tuple(values), tuple(colours) if colours else None)


def _read_rows(text: str) -> list[Mapping[str, str]]:
    try:
        return list(csv.DictReader(text.splitlines()))
    except csv.Error:
        return []


def _read_json(path: Path, text: str) -> NameTable | None:
    """Read `labels` of the Decathlon ({"0": name}) or of nnU-Net ({name: 0})."""
    try:
        labels = json.loads(text).get("labels")
        pairs = [
            (int(key), str(value)) if str(key).isdecimal() else (int(value), str(key)) for key, value in labels.items()
        ]
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
    pairs.sort()
    names = [name for _, name in pairs]
    return NameTable(path, tuple(names), tuple(value for value, _ in pairs)) if _is_list_of_names(names) else None


def _is_list_of_names(names: Sequence[str]) -> bool:
    """Return whether these are different, short words: a list of image names is none of classes."""
    short = all(0 < len(name) <= 60 and "." not in name for name in names)
    return 2 <= len(names) <= 255 and len(set(names)) == len(names) and short
