"""How the masks of a data set are written: what their stored values can mean."""

from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from segapp.batch import IGNORE_INDEX
from segapp.errors import MisuseError
from segapp.io import read_raw
from segapp.planning.names import BACKGROUND, IGNORED, NameTable
from segapp.system.limits import count_usable_cores

MAX_VALUES = 64
"""More different values than this in indices, or colours, are not classes but numbered objects or smoothed edges."""
FEW_FILES, FEW_OBJECTS = 5, 5
"""Masks, and values in one of them, from which numbers that always run from 1 without a gap are those of objects."""
COHERENT = 0.6
"""Fraction of a value's pixels with an equal neighbour to the right, in the median over the values: near 1 in objects,
under a half in photographs and in what JPEG adds along edges."""
INDICES, COLOURS, INSTANCES, PER_CLASS = (
    f"segapp.datasets.{name}" for name in ("Indices", "Colours", "Instances", "PerClass")
)
HINT = "name them with --classes, one for each in this order, or describe the masks in a data section (--data)"

Colour = tuple[int, int, int]


@dataclass
class MaskValues:
    """The stored values of many mask files."""

    files: int = 0
    values: Counter[int] = field(default_factory=Counter)
    """Pixels of each stored value of single-band masks."""
    colours: Counter[Colour] = field(default_factory=Counter)
    """Pixels of each colour of masks with three different bands."""
    most_in_one: int = 0
    """Largest number of different values in one file."""
    counts_in_one: set[int] = field(default_factory=set)
    """How many values other than 0 the files hold."""
    run_from_one: bool = True
    """In every file the values other than 0 are 1, 2, … without a gap."""
    coherence: float = 1.0
    """The smallest of all files with many values; see `COHERENT`."""
    has_fractions: str | None = None
    """A file with values that are no whole numbers from 0."""

    def add(self, stored: np.ndarray, name: str) -> None:
        """Count the values of one mask, (H, W) or (H, W, C) as stored."""
        self.files += 1
        bands = stored[..., None] if stored.ndim == 2 else stored
        if bands.shape[2] in (2, 4) and (bands[..., -1] == bands[0, 0, -1]).all():
            bands = bands[..., :-1]  # a constant alpha
        if bands.shape[2] >= 3 and not (bands[..., :1] == bands[..., :3]).all():
            self._add_colours(bands[..., :3])
        else:
            self._add_values(bands[..., 0], name)

    def _add_colours(self, bands: np.ndarray) -> None:
        coded = bands.astype(np.int64) @ np.array([65536, 256, 1])
        found, counts = np.unique(coded, return_counts=True)
        self.most_in_one = max(self.most_in_one, len(found))
        for code, count in list(zip(found.tolist(), counts.tolist(), strict=True))[: 4 * MAX_VALUES]:
            self.colours[code >> 16, code >> 8 & 255, code & 255] += count

    def _add_values(self, band: np.ndarray, name: str) -> None:
        found, counts = _count(band)
        if (found < 0).any() or (found != np.floor(found)).any():
            self.has_fractions = name
            return
        self.most_in_one = max(self.most_in_one, len(found))
        if len(found) > MAX_VALUES // 2:
            self.coherence = min(self.coherence, _measure_coherence(band))
        objects = found[found > 0].astype(np.int64)
        self.counts_in_one.add(len(objects))
        self.run_from_one &= len(objects) == 0 or (int(objects[0]) == 1 and int(objects[-1]) == len(objects))
        for value, count in list(zip(found.tolist(), counts.tolist(), strict=True))[: 4 * MAX_VALUES]:
            self.values[int(value)] += count


@dataclass(frozen=True)
class MaskMeaning:
    """What the masks mean, as settings of `segapp.datasets.Folder`."""

    mask: dict[str, Any] | None
    """`class_path` and `init_args` of an encoding; None for class indices."""
    classes: tuple[str, ...]
    background: int | None
    reason: str
    palette: tuple[Colour, ...] | None = None


def read_mask_values(files: Sequence[Path]) -> MaskValues:
    """Count the stored values of mask files, in threads; raises what reading raises, which names the file."""
    values = MaskValues()
    with ThreadPoolExecutor(min(8, count_usable_cores())) as pool:
        for start in range(0, len(files), 256):  # a bounded number of masks in memory
            part = files[start : start + 256]
            for file, stored in zip(part, pool.map(read_raw, part), strict=True):
                values.add(stored, str(file))
    return values


def infer_meaning(values: MaskValues, table: NameTable | None = None, names: Sequence[str] = ()) -> MaskMeaning:
    """Return what the stored values mean, or raise MisuseError with what was found and how to tell.

    Args:
        values: Of all masks.
        table: Class names beside the data.
        names: The user's own, one for each value or colour that is not ignored, in ascending order.
    """
    if values.has_fractions:
        raise MisuseError(f"{values.has_fractions}: holds fractions or negative numbers, which are no classes.")
    if values.colours and len(values.values) > 1:
        raise MisuseError(
            "some masks hold colours and others grey values; bring them into one form, or describe them in a data "
            "section (--data, as configs/data/mine.yaml)."
        )
    if values.colours:
        return _infer_colours(values, table, names)
    found = sorted(values.values)
    if len(found) < 2 or (len(found) == 2 and found[0] != 0 and found[1] == IGNORE_INDEX):
        raise MisuseError(
            f"there is nothing to learn: the {values.files} masks hold nothing but {' and '.join(map(str, found))}."
        )
    if _is_instance_mask(values, found, table, names):
        reason = (
            f"The masks number their objects (up to {max(values.counts_in_one)} in a file, 0 is the background), "
            "which become one class."
        )
        classes = tuple(names) if len(names) == 2 else ("background", "object")
        return MaskMeaning({"class_path": INSTANCES}, classes, 0, reason)
    if len(found) > MAX_VALUES:
        raise MisuseError(
            f"the masks hold more than {MAX_VALUES} different values, up to {values.most_in_one} in one file: they "
            "are photographs, or were saved as JPEG or resized with smoothing. Save masks as PNG, resized by nearest."
        )
    return _infer_values(values, found, table, names)


def _is_instance_mask(values: MaskValues, found: Sequence[int], table: NameTable | None, names: Sequence[str]) -> bool:
    """Return whether values number the objects of each file: they run from 1, and their number varies."""
    if found[0] != 0 or len(names) > 2 or (table is not None and len(found) <= 255):
        return False
    if len(found) > MAX_VALUES:
        return values.coherence >= COHERENT
    if not values.run_from_one:
        return False
    varied = len(values.counts_in_one) > 2 and max(values.counts_in_one) >= FEW_OBJECTS
    return varied and values.files >= FEW_FILES


def _infer_values(
    values: MaskValues, found: Sequence[int], table: NameTable | None, names: Sequence[str]
) -> MaskMeaning:
    """Give every stored value a class: two values, the user's or a table's names, or class indices."""
    if names:
        return _name_values(values, found, names)
    if table is not None and (meaning := _take_table(values, found, table)) is not None:
        return meaning
    if len(found) == 2 and 0 in found:
        return _name_values(values, found, ("background", "object"))
    classes = [value for value in found if value != IGNORE_INDEX]
    dense = classes[-1] < len(classes) * 2
    if IGNORE_INDEX in found and not dense:
        raise MisuseError(
            f"the masks hold {_listed(found)}: whether 255 is a class or what is ignored is not clear; {HINT} "
            "(leave 255 out if it is ignored)."
        )
    if not dense or 0 not in found:
        labels = tuple("background" if value == 0 else f"class_{value}" for value in classes)
        return _name_values(values, found, labels)
    largest = max(classes, key=lambda value: values.values[value])
    first = "background" if largest == 0 else "class_0"
    labels = (first, *(f"class_{value}" for value in range(1, classes[-1] + 1)))
    labels = ("background", "object") if len(labels) == 2 else labels
    told = f"0 is taken for the background, {_share(values, 0)}" if largest == 0 else "none is taken for a background"
    reason = f"The values of the masks are the numbers of the classes, 0 … {classes[-1]}; {told}"
    reason += f"{_tell_ignored(values)}. Rename the classes as you like; a number to leave out: see docs/data.md."
    return MaskMeaning(None, labels, None if labels[0] == "class_0" else 0, reason)


def _name_values(values: MaskValues, found: Sequence[int], names: Sequence[str]) -> MaskMeaning:
    """Name the values in ascending order; where a name lacks for 255, it is ignored."""
    stored = [value for value in found if value != IGNORE_INDEX or len(names) == len(found)]
    if len(stored) != len(names):
        raise MisuseError(
            f"--classes has {len(names)} names ({', '.join(names)}) and the masks hold {len(found)} values: "
            f"{_listed(found)}."
        )
    mapping = {value: index for index, value in enumerate(stored)}
    straight = stored == list(range(len(stored)))
    mask = None if straight else {"class_path": INDICES, "init_args": {"values": mapping}}
    background = next((i for i, name in enumerate(names) if name.lower() in BACKGROUND), None)
    fractions = ", ".join(
        f"{value} is {name} ({_share(values, value)})" for value, name in zip(stored, names, strict=True)
    )
    ignored = _tell_ignored(values) if IGNORE_INDEX not in stored else ""
    return MaskMeaning(mask, tuple(names), background, f"In the {values.files} masks {fractions}{ignored}.")


def _take_table(values: MaskValues, found: Sequence[int], table: NameTable) -> MaskMeaning | None:
    """Name the values by a table that knows them all; None where it does not."""
    known = table.by_value
    if any(value not in known for value in found if value != IGNORE_INDEX):
        return None
    kept = [(value, name) for value, name in sorted(known.items()) if name.lower() not in IGNORED]
    mapping = {value: index for index, (value, _) in enumerate(kept)}
    dropped = [value for value, name in known.items() if name.lower() in IGNORED and value != IGNORE_INDEX]
    straight = all(value == index for value, index in mapping.items())
    settings = {**({} if straight else mapping), **dict.fromkeys(dropped, IGNORE_INDEX)}
    mask = {"class_path": INDICES, "init_args": {"values": settings}} if settings else None
    names = tuple(_strip_marks(name) for _, name in kept)
    background = next((i for i, name in enumerate(names) if name in BACKGROUND), None)
    told = f"; {' and '.join(map(str, dropped))} is ignored" if dropped else _tell_ignored(values)
    return MaskMeaning(
        mask, names, background, f"The masks hold class numbers; the names are those of {table.path.name}{told}."
    )


def _infer_colours(values: MaskValues, table: NameTable | None, names: Sequence[str]) -> MaskMeaning:
    found = dict(values.colours) | {(int(v),) * 3: count for v, count in values.values.items()}
    if len(found) > MAX_VALUES:
        raise MisuseError(
            f"the masks hold {len(found)} or more different colours, up to {values.most_in_one} in one file: they are "
            "photographs, or were saved as JPEG or resized with smoothing. Save masks as PNG, resized by nearest."
        )
    black = (0, 0, 0)
    colours = sorted(found, key=lambda colour: (colour != black, colour))
    labels = _names_of_colours(colours, table, names)
    kept = {label: list(colour) for label, colour in zip(labels, colours, strict=True)}
    ignored = [label for label in kept if label.lower() in IGNORED]
    classes = tuple(label for label in kept if label not in ignored)
    settings = {"ignore" if label in ignored else label: colour for label, colour in kept.items()}
    background = next((i for i, name in enumerate(classes) if name.lower() in BACKGROUND), None)
    where = f" (names from {table.path.name})" if table is not None and table.colours else "; rename them as you like"
    reason = f"The masks hold {len(colours)} colours, each of which is a class{where}."
    palette = tuple((c[0], c[1], c[2]) for label, c in kept.items() if label not in ignored)
    return MaskMeaning(
        {"class_path": COLOURS, "init_args": {"colours": settings}}, classes, background, reason, palette
    )


def _names_of_colours(colours: Sequence[Colour], table: NameTable | None, names: Sequence[str]) -> list[str]:
    if names:
        if len(names) != len(colours):
            raise MisuseError(
                f"--classes has {len(names)} names and the masks hold {len(colours)} colours: {_listed(colours)}."
            )
        return list(names)
    known = table.by_colour if table is not None else {}
    if all(colour in known for colour in colours):
        return [_strip_marks(known[colour]) for colour in colours]
    return ["background" if colour == (0, 0, 0) else "colour_{:02x}{:02x}{:02x}".format(*colour) for colour in colours]


def _count(band: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the different values and their pixels; of 8 and 16 bits without sorting them."""
    if band.dtype in (np.uint8, np.uint16):
        counts = np.bincount(band.ravel())
        found = np.flatnonzero(counts)
        return found, counts[found]
    return np.unique(band, return_counts=True)


def _measure_coherence(band: np.ndarray) -> float:
    """Return the median over the values of the fraction of their pixels whose right neighbour is equal."""
    _, inverse = np.unique(band[:, :-1], return_inverse=True)
    equal = (band[:, 1:] == band[:, :-1]).ravel()
    return float(np.median(np.bincount(inverse.ravel(), equal) / np.bincount(inverse.ravel())))


def _strip_marks(name: str) -> str:
    return "background" if name.lower() in BACKGROUND and "back" in name.lower() else name


def _share(values: MaskValues, value: int) -> str:
    return f"{values.values[value] / max(1, values.values.total()):.1%} of the pixels"


def _tell_ignored(values: MaskValues) -> str:
    if IGNORE_INDEX not in values.values:
        return ""
    return f"; 255 ({_share(values, IGNORE_INDEX)}) is ignored"


def _listed(found: Iterable[object]) -> str:
    return ", ".join(map(str, found))
