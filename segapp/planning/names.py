"""Read class names from a table beside the data."""

import csv
import json
import re
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAX_BYTES = 2**22
"""Of a table of class names; a larger file is not read as one."""

FILES = ("classes.csv", "class_dict.csv", "labels.csv", "classes.txt", "class_names.txt", "labels.txt", "dataset.json")
"""Names of tables that are looked for, in this order."""
OTHER_FILES = re.compile(r".*(?:class|label|colou?r|palette|objectinfo).*\.(?:csv|txt)", re.IGNORECASE)
"""Names of other files that are tables where each line has a number or a colour."""
IGNORED = frozenset({"__ignore__", "ignore", "void", "unlabelled", "unlabeled"})
"""Names of values that are no class."""
BACKGROUND = frozenset({"background", "_background_", "bg", "none", "other"})
NUMBERED = re.compile(r"(\d{1,5})(?:\s*[:;,=]\s*|\s+)(\S.*)")
"""A line of a list that has the stored value before the name."""
COLOURED = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?P<r>\d{1,3})[\s,]+(?P<g>\d{1,3})[\s,]+(?P<b>\d{1,3})[\s,:;]+(?P<name>\S.*)",
        r"(?P<name>[^:,]*[^:,\s])[:,\s]\s*(?P<r>\d{1,3})[\s,]+(?P<g>\d{1,3})[\s,]+(?P<b>\d{1,3})(?![^:\s]).*",
    )
)
"""Lines of a list that has a colour before or after the name."""

NUMBER_COLUMNS = ("value", "pixel value", "index", "idx", "id", "label")

Colour = tuple[int, int, int]
BLACK: Colour = (0, 0, 0)


@dataclass(frozen=True)
class NameTable:
    """Class names and, where the table has them, the stored values or colours of each class."""

    path: Path
    names: tuple[str, ...]
    """In the order of the table, `IGNORED` ones included."""
    values: tuple[int, ...]
    """The stored value of each name: that of its column, or its position in the file; none where only colours count."""
    colours: tuple[Colour, ...] | None = None
    note: str = ""
    """What the user must know of these names, as the end of a sentence."""

    @property
    def by_value(self) -> dict[int, str]:
        """The names by the stored values; empty where the table has none."""
        return dict(zip(self.values, self.names, strict=False))

    @property
    def by_colour(self) -> dict[Colour, str]:
        """The names by the colours; empty where the table has none."""
        return dict(zip(self.colours or (), self.names, strict=False))


def find_names(folders: Sequence[Path], colours: Collection[Colour] = ()) -> NameTable | None:
    """Return the first table of class names in one of the folders, or None.

    No link is followed: lines of a file that lies elsewhere would become names of classes.

    Args:
        folders: In which tables may be.
        colours: Of the masks; a table that has all of them comes first.
    """
    tables = [table for folder in dict.fromkeys(folders) for table in _read_tables(folder)]
    coloured = (table for table in tables if colours and not set(colours) - table.by_colour.keys() - {BLACK})
    return next(coloured, next(iter(tables), None))


def _read_tables(folder: Path) -> Iterator[NameTable]:
    """Yield the tables of class names in a folder, those of usual names first."""
    there = sorted(folder.iterdir()) if folder.is_dir() else []
    others = [path.name for path in there if path.name not in FILES and OTHER_FILES.fullmatch(path.name)]
    for name in (*FILES, *others):
        path = folder / name
        if path.is_file() and not path.is_symlink() and (table := _read_table(path)) is not None:
            yield table


def _read_table(path: Path) -> NameTable | None:
    if path.stat().st_size > MAX_BYTES:
        return None
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    if path.suffix == ".json":
        return _read_json(path, text)
    if path.suffix == ".csv" or "\t" in text.partition("\n")[0]:
        table = _read_csv(path, text)
        if table is not None or path.suffix == ".csv":
            return table
    return _read_lines(path, [line.strip() for line in text.splitlines() if line.strip() and line[0] != "#"])


def _read_lines(path: Path, names: Sequence[str]) -> NameTable | None:
    """Read a list of names, with or without numbers or colours; without these only one of a usual name."""
    for pattern in COLOURED:
        matches = [match for name in names if (match := pattern.fullmatch(name))]
        coloured = [match["name"].strip() for match in matches]
        if len(matches) == len(names) and _is_list_of_names(coloured):
            colours = tuple((int(match["r"]), int(match["g"]), int(match["b"])) for match in matches)
            return NameTable(path, tuple(coloured), tuple(range(len(names))) if path.name in FILES else (), colours)
    if names and names[0] == "__ignore__":  # labelme's list starts at -1
        names = names[1:]
    numbered = [match.groups() for name in names if (match := NUMBERED.fullmatch(name))]
    values = [int(value) for value, _ in numbered]
    if len(numbered) == len(names) and _is_list_of_names([name for _, name in numbered]) and _are_different(values):
        return NameTable(path, tuple(name for _, name in numbered), tuple(values))
    if path.name not in FILES or not _is_list_of_names(names):
        return None
    return NameTable(path, tuple(names), tuple(range(len(names))))


def _read_csv(path: Path, text: str) -> NameTable | None:
    rows = [
        {key.strip().lower(): (value or "").strip() for key, value in row.items() if key} for row in _read_rows(text)
    ]
    column = next((name for name in ("name", "class", "class_name", "label") if rows and name in rows[0]), None)
    names = tuple(row[column] for row in rows) if column else ()
    if not _is_list_of_names(names):
        names = tuple(name.split(",")[0] for name in names)  # of long synonyms the first
    if not _is_list_of_names(names):
        return None
    numbers = next((name for name in NUMBER_COLUMNS if name in rows[0] and name != column), None)
    if path.name not in FILES and not numbers and "r" not in rows[0]:
        return None
    try:
        values = [int(row[numbers]) for row in rows] if numbers else list(range(len(rows)))
        colours = [(int(row["r"]), int(row["g"]), int(row["b"])) for row in rows] if "r" in rows[0] else None
    except (KeyError, ValueError):
        return None
    if not _are_different(values):  # classes of images, say
        return None
    if path.name not in FILES and not numbers:
        values = []
    return NameTable(path, names, tuple(values), tuple(colours) if colours else None)


def _read_rows(text: str) -> list[Mapping[str, str]]:
    try:
        delimiter = "\t" if "\t" in text.partition("\n")[0] else ","
        return list(csv.DictReader(text.splitlines(), delimiter=delimiter))
    except csv.Error:
        return []


def read_channel_names(folders: Sequence[Path]) -> tuple[str, ...]:
    """Return the names of the channels, such as CT or T1, that the first dataset.json has; none without one."""
    for folder in dict.fromkeys(folders):
        path = folder / "dataset.json"
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= MAX_BYTES:
            content = _load_json(path.read_text(encoding="utf-8-sig", errors="replace"))
            named = content.get("channel_names", content.get("modality"))
            return tuple(str(name) for name in named.values()) if isinstance(named, dict) else ()
    return ()


def _read_json(path: Path, text: str) -> NameTable | None:
    """Read `labels` of the Decathlon ({"0": name}) or of nnU-Net ({name: 0}, or {name: [1, 2]} for a region)."""
    labels = _load_json(text).get("labels")
    pairs: dict[int, str] = {}
    regions: dict[str, set[int]] = {}
    try:
        for key, value in labels.items() if isinstance(labels, dict) else ():
            if isinstance(value, list):
                regions[str(key)] = {int(one) for one in value}
            elif str(key).isdecimal():
                pairs[int(key)] = str(value)
            else:
                pairs[int(value)] = str(key)
    except (ValueError, TypeError, OverflowError):
        return None
    named = dict(sorted((_name_parts(regions) | pairs).items()))
    if not _is_list_of_names(list(named.values())):
        return None
    return NameTable(path, tuple(named.values()), tuple(named), note=_describe_regions(regions))


def _load_json(text: str) -> dict[str, Any]:
    """Return the object that a text holds; an empty one for anything else."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _name_parts(regions: Mapping[str, set[int]]) -> dict[int, str]:
    """Name each stored value of regions that overlap: by the smallest region that holds it."""
    names = {}
    for value in sorted(set().union(*regions.values())):
        smallest = min((name for name in regions if value in regions[name]), key=lambda name: len(regions[name]))
        names[value] = smallest if len(regions[smallest]) == 1 else f"{smallest}_{value}"
    return names


def _describe_regions(regions: Mapping[str, set[int]]) -> str:
    if not regions:
        return ""
    listed = ", ".join(f"{name} = {' + '.join(map(str, sorted(values)))}" for name, values in regions.items())
    return (
        f"; its regions overlap ({listed}), so the stored values are learned as classes of their own, and a region is "
        "the union of its classes"
    )


def _are_different(values: Sequence[Hashable]) -> bool:
    return len(set(values)) == len(values)


def _is_list_of_names(names: Sequence[str]) -> bool:
    """Return whether these are different, short words: a list of image names is none of classes."""
    short = all(0 < len(name) <= 60 and "." not in name for name in names)
    return 2 <= len(names) <= 255 and _are_different(names) and short
