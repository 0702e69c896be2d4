"""Infer what the stored values of masks mean: classes, objects or colours."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from segapp.batch import IGNORE_INDEX
from segapp.errors import MisuseError
from segapp.planning.mask_values import MAX_VALUES, Colour, MaskValues
from segapp.planning.names import BACKGROUND, IGNORED, NameTable

MIN_COHERENCE = 0.6
"""Fraction of a value's pixels with an equal neighbour to the right, in the median over the values: near 1 in objects,
under a half in photographs and in edges changed by JPEG."""
MIN_FILES, MIN_OBJECTS = 5, 5
"""Masks, and values in one of them, from which numbers that always run from 1 without a gap are those of objects."""
INDICES, COLOURS, INSTANCES, PER_CLASS, THRESHOLD = (
    f"segapp.datasets.{name}" for name in ("Indices", "Colours", "Instances", "PerClass", "Threshold")
)
NEAR = 25
"""Distance from black and from white within which a codec or smoothing leaves most pixels of a binary mask."""
MIN_NEAR = 0.9
"""The fraction of its pixels that lie there; the rest are edges."""
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
    if values.colours and len(values.values) > 1:
        raise MisuseError(
            "some masks hold colours and others grey values; convert them to one kind, or describe them in a data "
            "section (--data, as configs/data/mine.yaml)."
        )
    if values.colours:
        return _infer_colours(values, table, names)
    found = sorted(values.values)
    if len(found) < 2 or (len(found) == 2 and found[0] != 0 and found[1] == IGNORE_INDEX):
        raise MisuseError(
            f"there is nothing to learn: the {values.files} masks hold nothing but {' and '.join(map(str, found))}."
        )
    if table is None and len(names) in (0, 2) and (near := _measure_binary(values, found)) >= MIN_NEAR:
        reason = (
            f"The masks hold {found[0]} … {found[-1]}, {near:.1%} of the pixels within {NEAR} of black or white: "
            "they are binary, and a lossy codec or a smooth resize has changed them. Brighter than 127 is the object."
        )
        return MaskMeaning({"class_path": THRESHOLD}, tuple(names) or ("background", "object"), 0, reason)
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
        return values.coherence >= MIN_COHERENCE
    if not values.run_from_one:
        return False
    varied = len(values.counts_in_one) > 2 and max(values.counts_in_one) >= MIN_OBJECTS
    return varied and values.files >= MIN_FILES


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


def _infer_values(
    values: MaskValues, found: Sequence[int], table: NameTable | None, names: Sequence[str]
) -> MaskMeaning:
    """Give every stored value a class: two values, the user's or a table's names, or class indices."""
    if names:
        return _name_values(values, found, names)
    if table is not None and (meaning := _name_by_table(values, found, table)) is not None:
        return meaning
    if len(found) == 2 and 0 in found:
        return _name_values(values, found, ("background", "object"))
    classes = [value for value in found if value != IGNORE_INDEX]
    dense = classes[-1] < len(classes) * 2
    if IGNORE_INDEX in found and not dense:
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
    """Name the values in ascending order; 255 is ignored where it has no name."""
    stored = [value for value in found if value != IGNORE_INDEX or len(names) == len(found)]
    if len(stored) != len(names):
        raise MisuseError(
            f"--classes has {len(names)} names ({', '.join(names)}) and the masks hold {len(found)} values: "
            f"{_join(found)}."
        )
    mapping = {value: index for index, value in enumerate(stored)}
    is_unchanged = stored == list(range(len(stored)))
    mask = None if is_unchanged else {"class_path": INDICES, "init_args": {"values": mapping}}
    background = next((i for i, name in enumerate(names) if name.lower() in BACKGROUND), None)
    fractions = ", ".join(
        f"{value} is {name} ({_format_fraction(values, value)})" for value, name in zip(stored, names, strict=True)
    )
    ignored = _describe_ignored(values) if IGNORE_INDEX not in stored else ""
    return MaskMeaning(mask, tuple(names), background, f"In the {values.files} masks {fractions}{ignored}.")


def _name_by_table(values: MaskValues, found: Sequence[int], table: NameTable) -> MaskMeaning | None:
    """Name the values by a table that has all of them; None where it does not."""
    known = table.by_value
    if any(value not in known for value in found if value != IGNORE_INDEX):
        return None
    kept = [(value, name) for value, name in sorted(known.items()) if name.lower() not in IGNORED]
    mapping = {value: index for index, (value, _) in enumerate(kept)}
    dropped = [value for value, name in known.items() if name.lower() in IGNORED and value != IGNORE_INDEX]
    is_unchanged = all(value == index for value, index in mapping.items())
    settings = {**({} if is_unchanged else mapping), **dict.fromkeys(dropped, IGNORE_INDEX)}
    mask = {"class_path": INDICES, "init_args": {"values": settings}} if settings else None
    names = tuple(_normalise_background(name) for _, name in kept)
    background = next((i for i, name in enumerate(names) if name in BACKGROUND), None)
    note = f"; {' and '.join(map(str, dropped))} is ignored" if dropped else _describe_ignored(values)
    reason = f"The masks hold class numbers; the names are those of {table.path.name}{note}{table.note}."
    return MaskMeaning(mask, names, background, reason)


def _infer_colours(values: MaskValues, table: NameTable | None, names: Sequence[str]) -> MaskMeaning:
    found = dict(values.colours) | {(int(v),) * 3: count for v, count in values.values.items()}
    if len(found) > MAX_VALUES:
        raise MisuseError(
            f"the masks hold {len(found)} or more different colours, up to {values.most_in_one} in one file: they are "
            "photographs, or were saved as JPEG or resized with smoothing. Save masks as PNG, resized by nearest."
        )
    black = (0, 0, 0)
    colours = sorted(found, key=lambda colour: (colour != black, colour))
    labels = _name_colours(colours, table, names)
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


def _name_colours(colours: Sequence[Colour], table: NameTable | None, names: Sequence[str]) -> list[str]:
    if names:
        if len(names) != len(colours):
            raise MisuseError(
                f"--classes has {len(names)} names and the masks hold {len(colours)} colours: {_join(colours)}."
            )
        return list(names)
    known = table.by_colour if table is not None else {}
    if all(colour in known for colour in colours):
        return [_normalise_background(known[colour]) for colour in colours]
    return ["background" if colour == (0, 0, 0) else "colour_{:02x}{:02x}{:02x}".format(*colour) for colour in colours]


def _normalise_background(name: str) -> str:
    return "background" if name.lower() in BACKGROUND and "back" in name.lower() else name


def _format_fraction(values: MaskValues, value: int) -> str:
    return f"{values.values[value] / max(1, values.values.total()):.1%} of the pixels"


def _describe_ignored(values: MaskValues) -> str:
    if IGNORE_INDEX not in values.values:
        return ""
    return f"; 255 ({_format_fraction(values, IGNORE_INDEX)}) is ignored"


def _join(found: Iterable[object]) -> str:
    return ", ".join(map(str, found))
