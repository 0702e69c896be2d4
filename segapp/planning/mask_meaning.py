"""Infer what the stored values of masks mean: classes, objects or colours."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from segapp.batch import IGNORE_INDEX
from segapp.errors import MisuseError
from segapp.planning.mask_values import MAX_VALUES, Colour, MaskValues
from segapp.planning.names import BACKGROUND, BLACK, IGNORED, NameTable

MIN_COHERENCE = 0.6
"""Fraction of a value's pixels with an equal neighbour to the right, in the median over the values: near 1 in objects,
under a half in photographs and in edges changed by JPEG."""
MIN_FILES, MIN_OBJECTS = 5, 5
"""Masks, and values in one of them, from which numbers that always run from 1 without a gap are those of objects."""
MOST_WITH_GAPS = 0.5
"""Where the numbers have gaps in so many masks at most, and run from 1 in the others, they may be those of objects."""
INDICES, COLOURS, INSTANCES, PER_CLASS, THRESHOLD = (
    f"segapp.datasets.{name}" for name in ("Indices", "Colours", "Instances", "PerClass", "Threshold")
)
NEAR = 25
"""Distance from black and from white within which a codec or smoothing leaves most pixels of a binary mask."""
MIN_NEAR = 0.9
"""The fraction of its pixels that lie there; the rest are edges."""
ASK = (
    "they may be numbers of classes or of objects. Name all classes with --classes, or, where they are objects, the "
    "background and the objects, such as --classes background,cell."
)
SPARSE = 4
"""Numbers of classes of which few are used are below so many times their count; grey levels such as 128 are not."""
HINT = "name them with --classes, one for each in this order, or describe the masks in a data section (--data)"


@dataclass(frozen=True)
class MaskMeaning:
    """The meaning of masks, as settings of `segapp.datasets.Folder`."""

    mask: dict[str, Any] | None
    """`class_path` and `init_args` of an encoding; None for class indices."""
    classes: tuple[str, ...]
    background: int | None
    reason: str
    palette: tuple[Colour, ...] | None = None


def infer_meaning(values: MaskValues, table: NameTable | None = None, names: Sequence[str] = ()) -> MaskMeaning:
    """Return the meaning of the stored values, or raise MisuseError with what was found and how to specify it.

    Args:
        values: Of all masks.
        table: Class names beside the data.
        names: The user's, one for each value or colour that is not ignored, in ascending order.
    """
    if values.has_fractions:
        raise MisuseError(
            f"{values.has_fractions}: holds fractions or negative numbers; classes are whole numbers from 0."
        )
    if values.colours and values.has_grey and len(values.values) > 1:
        raise MisuseError(
            "some masks hold colours and others grey values; convert them to one kind, or describe them in a data "
            "section (--data, as configs/data/mine.yaml)."
        )
    if values.colours:
        return _infer_colours(values, table, names)
    found = sorted(values.values)
    is_void = len(found) == 2 and found[0] != 0 and found[1] == IGNORE_INDEX and len(names) != 2
    if len(found) < 2 or is_void:
        raise MisuseError(
            f"there is nothing to learn: the {values.files} masks hold nothing but {' and '.join(map(str, found))}."
        )
    if table is None and len(names) in (0, 2) and (near := _measure_binary(values, found)) >= MIN_NEAR:
        reason = (
            f"The masks hold {found[0]} … {found[-1]}, {near:.1%} of the pixels within {NEAR} of black or white: "
            "they are binary, and a lossy codec or a smooth resize has changed them. Brighter than 127 is the object."
        )
        background = None if names and names[1].lower() in BACKGROUND else 0  # the dark value is always the first class
        return MaskMeaning({"class_path": THRESHOLD}, tuple(names) or ("background", "object"), background, reason)
    by_table = _name_by_table(values, found, table) if table is not None and not names else None
    if by_table is None and _is_instance_mask(values, found, names):
        return name_objects(
            names,
            f"The masks number their objects (up to {max(values.counts_in_one)} in a file, 0 is the background), "
            "which become one class.",
        )
    if by_table is None and len(found) > MAX_VALUES and len(names) <= 2:
        raise MisuseError(
            f"the masks hold more than {MAX_VALUES} different values, up to {values.most_in_one} in one file: they "
            "are photographs, or were saved as JPEG or resized with smoothing. Save masks as PNG, resized by nearest."
        )
    return by_table or _infer_values(values, found, names)


def name_objects(names: Sequence[str], reason: str) -> MaskMeaning:
    """Return the meaning of masks of objects, which become one class: the second of the user's two names, if any."""
    if len(names) not in (0, 2) or (names and names[1].lower() in BACKGROUND):
        raise MisuseError(
            f"--classes has {len(names)} names ({', '.join(names)}), and the masks hold objects, which are one class: "
            "name the background and the objects, such as --classes background,cell."
        )
    return MaskMeaning({"class_path": INSTANCES}, tuple(names) or ("background", "object"), 0, reason)


def name_folders(folders: Sequence[str], names: Sequence[str], what: str = "folder of masks") -> MaskMeaning:
    """Return the meaning of one folder or file of masks for each class.

    Args:
        folders: Their names; one called background holds what no other does.
        what: There is one for each class.
        names: The user's choice of them and their order; empty for all.
    """
    background = next((name for name in folders if _normalise_background(name) == "background"), "background")
    wanted = [name for name in names if _normalise_background(name) != "background"]
    if unknown := [name for name in wanted if name not in folders]:
        raise MisuseError(
            f"--classes: {unknown[0]!r} is none of the classes that masks are named after: {', '.join(folders)}."
        )
    chosen = wanted or [name for name in folders if name != background]
    reason = f"One {what} for each of {len(chosen)} classes; of overlapping ones a later lies above."
    return MaskMeaning({"class_path": PER_CLASS}, (background, *chosen), 0, reason)


def _is_instance_mask(values: MaskValues, found: Sequence[int], names: Sequence[str]) -> bool:
    """Return whether values number the objects of each file: they run from 1, and their number varies.

    Raises MisuseError where as many may be the numbers of classes, of which each file holds a few.
    """
    if found[0] != 0 or len(names) > 2:
        return False
    if len(found) > MAX_VALUES:
        is_flat = values.coherence >= MIN_COHERENCE
        if is_flat and not names and found[-1] <= 255 and 2 * values.sparse > values.files:
            raise MisuseError(f"the masks hold {len(found)} values up to {found[-1]}, few of them in one file: {ASK}")
        return is_flat
    if not _are_numbered(values):
        return False
    if values.with_gaps and not names:
        raise MisuseError(
            f"the masks hold {len(found)} values up to {found[-1]}, which run from 1 without a gap in "
            f"{values.files - values.with_gaps} of {values.files} files: {ASK}"
        )
    return True


def _are_numbered(values: MaskValues) -> bool:
    """Return whether the values run from 1 in most files, and their number varies: those of objects do."""
    varied = len(values.counts_in_one) > 2 and max(values.counts_in_one) >= MIN_OBJECTS
    return varied and values.files >= MIN_FILES and values.with_gaps <= MOST_WITH_GAPS * values.files


def _measure_binary(values: MaskValues, found: Sequence[int]) -> float:
    """Return the fraction of pixels near black or white; 0 where the values are not those of changed binary masks.

    Such masks hold several values beside 0 and beside 255, and few pixels between. Numbers of classes or objects run
    from 0 or 1, and 255 alone means ignored.
    """
    dark, light = ([value for value in found if low <= value <= high] for low, high in ((0, NEAR), (255 - NEAR, 255)))
    if found[-1] > 255 or len(light) < 3 or not dark:
        return 0.0
    pixels = [sum(values.values[value] for value in part) for part in (dark, light, found)]
    between = pixels[2] - pixels[0] - pixels[1]
    return (pixels[2] - between) / max(1, pixels[2]) if between < pixels[1] else 0.0


def _infer_values(values: MaskValues, found: Sequence[int], names: Sequence[str]) -> MaskMeaning:
    """Give every stored value a class: two values, the user's names, or class indices."""
    if names:
        return _name_values(values, found, names)
    if len(found) == 2 and 0 in found:
        return _name_values(values, found, ("background", "object"))
    classes = [value for value in found if value != IGNORE_INDEX]
    dense = classes[-1] < len(classes) * 2
    if IGNORE_INDEX in found and classes[-1] >= len(classes) * SPARSE:
        raise MisuseError(
            f"the masks hold {_join(found)}: 255 may be a class or mean ignored; {HINT} "
            "(leave 255 out if it is ignored)."
        )
    if not dense or 0 not in found:
        labels = tuple("background" if value == 0 else f"class_{value}" for value in classes)
        return _name_values(values, found, labels)
    largest = max(classes, key=lambda value: values.values[value])
    first = "background" if largest == 0 else "class_0"
    labels = (first, *(f"class_{value}" for value in range(1, classes[-1] + 1)))
    labels = ("background", "object") if len(labels) == 2 else labels
    note = (
        f"0 is taken for the background, {_format_fraction(values, 0)}"
        if largest == 0
        else "none is taken for a background"
    )
    reason = f"The values of the masks are the numbers of the classes, 0 … {classes[-1]}; {note}"
    reason += f"{_describe_ignored(values)}. Rename the classes as you like; a number to leave out: see docs/data.md."
    return MaskMeaning(None, labels, None if labels[0] == "class_0" else 0, reason)


def _name_values(values: MaskValues, found: Sequence[int], names: Sequence[str]) -> MaskMeaning:
    """Name the values in ascending order; 255 is ignored where it has no name, and values called void are."""
    stored = [value for value in found if value != IGNORE_INDEX or len(names) == len(found)]
    if len(stored) != len(names):
        raise MisuseError(
            f"--classes has {len(names)} names ({', '.join(names)}) and the masks hold {len(found)} values: "
            f"{_join(found)}."
        )
    mask, classes = _assign_indices(dict(zip(stored, names, strict=True)))
    background = next((i for i, name in enumerate(classes) if name.lower() in BACKGROUND), None)
    fractions = ", ".join(
        f"{value} is {name} ({_format_fraction(values, value)})" for value, name in zip(stored, names, strict=True)
    )
    ignored = _describe_ignored(values) if IGNORE_INDEX not in stored else ""
    return MaskMeaning(mask, classes, background, f"In the {values.files} masks {fractions}{ignored}.")


def _assign_indices(named: Mapping[int, str]) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """Return how values with names are read, and their classes; values called void are ignored."""
    kept = [value for value, name in named.items() if name.lower() not in IGNORED]
    settings = {} if kept == list(range(len(kept))) else {value: index for index, value in enumerate(kept)}
    settings |= {value: IGNORE_INDEX for value in named if value not in kept and value != IGNORE_INDEX}
    mask = {"class_path": INDICES, "init_args": {"values": settings}} if settings else None
    return mask, tuple(named[value] for value in kept)


def _name_by_table(values: MaskValues, found: Sequence[int], table: NameTable) -> MaskMeaning | None:
    """Name the values by a table that has all of them, or both of two; None where it does not."""
    known = table.by_value or {red: name for (red, *rest), name in table.by_colour.items() if rest == [red, red]}
    if 0 in found and 0 not in known and not BACKGROUND & {name.lower() for name in table.names}:
        known = {0: "background", **known}
    if len(found) == 2 and found[0] == 0 and found[1] not in known.keys() - {IGNORE_INDEX} and len(known) == 2:
        meaning = _name_values(values, found, [_normalise_background(name) for _, name in sorted(known.items())])
        return replace(meaning, reason=f"{meaning.reason} The names are those of {table.path.name}{table.note}.")
    if found == [0, IGNORE_INDEX] and IGNORE_INDEX not in known:
        return None
    if any(value not in known for value in found if value != IGNORE_INDEX):
        return None
    mask, kept = _assign_indices(dict(sorted(known.items())))
    names = tuple(map(_normalise_background, kept))
    background = next((i for i, name in enumerate(names) if name.lower() in BACKGROUND), None)
    dropped = [value for value, name in known.items() if name.lower() in IGNORED and value != IGNORE_INDEX]
    note = f"; {' and '.join(map(str, dropped))} {'are' if len(dropped) > 1 else 'is'} ignored" if dropped else ""
    note += _describe_ignored(values) if known.get(IGNORE_INDEX, "void").lower() in IGNORED else ""
    reason = f"The masks hold class numbers; the names are those of {table.path.name}{note}{table.note}."
    return MaskMeaning(mask, names, background, reason)


def _infer_colours(values: MaskValues, table: NameTable | None, names: Sequence[str]) -> MaskMeaning:
    found = dict(values.colours) | {(int(v),) * 3: count for v, count in values.values.items()}
    if values.in_first_band and (table is None or not table.colours) and _are_numbers(found, values, names):
        return _name_numbered_colours(found, names)
    if len(found) > MAX_VALUES:
        raise MisuseError(
            f"the masks hold {len(found)} or more different colours, up to {values.most_in_one} in one file: they are "
            "photographs, or were saved as JPEG or resized with smoothing. Save masks as PNG, resized by nearest."
        )
    colours = sorted(found, key=lambda colour: (colour != BLACK, colour))
    labels, source = _name_colours(colours, table, names)
    kept = {label: colour for label, colour in zip(labels, colours, strict=True) if label.lower() not in IGNORED}
    ignored = [list(colour) for label, colour in zip(labels, colours, strict=True) if label.lower() in IGNORED]
    settings: dict[str, Any] = {label: list(colour) for label, colour in kept.items()}
    if ignored:
        settings["ignore"] = ignored[0] if len(ignored) == 1 else ignored
    background = next((i for i, name in enumerate(kept) if name.lower() in BACKGROUND), None)
    meaning = f"; {len(kept)} are classes and {len(ignored)} ignored" if ignored else ", each of which is a class"
    reason = f"The masks hold {len(colours)} colours{meaning}{source}."
    return MaskMeaning(
        {"class_path": COLOURS, "init_args": {"colours": settings}},
        tuple(kept),
        background,
        reason,
        tuple(kept.values()),
    )


def _are_numbers(found: Mapping[Colour, int], values: MaskValues, names: Sequence[str]) -> bool:
    """Return whether colours of a first band alone number objects; MisuseError where they may number classes."""
    largest = max(colour[0] for colour in found)
    if not 3 <= len(found) <= largest + 1 < 2 * len(found) or len(names) not in (0, 2):
        return False
    if not names and not (_are_numbered(values) and not values.with_gaps):
        raise MisuseError(f"the masks hold up to {largest} in the first of several bands: {ASK}")
    return True


def _name_numbered_colours(found: Mapping[Colour, int], names: Sequence[str]) -> MaskMeaning:
    """Return the meaning of masks whose first band numbers their objects; the other bands are 0."""
    if len(found) > MAX_VALUES:
        raise MisuseError(
            "the masks number their objects in the first of several bands: save that band alone, as with "
            "PIL.Image.open(path).getchannel(0).save(path)."
        )
    classes = tuple(names) or ("background", "object")
    objects = [list(colour) for colour in sorted(found) if any(colour)]
    settings = {"colours": {classes[0]: [0, 0, 0], classes[1]: objects}}
    reason = f"The masks number their objects in their first band (up to {objects[-1][0]}), which become one class."
    return MaskMeaning({"class_path": COLOURS, "init_args": settings}, classes, 0, reason)


def _name_colours(colours: Sequence[Colour], table: NameTable | None, names: Sequence[str]) -> tuple[list[str], str]:
    """Return the name of each colour, and where the names are from, as the end of a sentence."""
    if names:
        if len(names) != len(colours):
            raise MisuseError(
                f"--classes has {len(names)} names and the masks hold {len(colours)} colours: {_join(colours)}."
            )
        return list(names), ""
    known = {BLACK: "background", **table.by_colour} if table is not None and table.colours else {}
    if table is not None and all(colour in known for colour in colours):
        labels = [_normalise_background(known[colour]) for colour in colours]
        return labels, f" (names from {table.path.name})"
    labels = ["background" if colour == BLACK else "colour_{:02x}{:02x}{:02x}".format(*colour) for colour in colours]
    return labels, "; rename them as you like"


def _normalise_background(name: str) -> str:
    return "background" if name.lower() in BACKGROUND - {"none", "other"} else name


def _format_fraction(values: MaskValues, value: int) -> str:
    return f"{values.values[value] / max(1, values.values.total()):.1%} of the pixels"


def _describe_ignored(values: MaskValues) -> str:
    if IGNORE_INDEX not in values.values:
        return ""
    return f"; 255 ({_format_fraction(values, IGNORE_INDEX)}) is ignored"


def _join(found: Iterable[object]) -> str:
    return ", ".join(map(str, found))
