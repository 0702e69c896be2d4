"""Checks that read the images and masks of a data set."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from segapp.datasets.class_presence import find_classes, map_in_threads
from segapp.datasets.problems import Problem
from segapp.datasets.source import Item, SplitName
from segapp.errors import SegappError

STRIPE_PIXELS = 2**22
"""Pixels of an image that are read at a time."""


def check_items(items: Mapping[SplitName, Sequence[Item]], classes: Sequence[str]) -> Iterator[Problem]:
    """Read every image and mask of the splits once, in threads, and yield what is wrong with them.

    Errors are images and masks that cannot be read, whose sizes differ, or whose values are no classes. Warnings are
    classes that no mask of a split holds: there is no score for them, or nothing to learn them from.

    Args:
        items: The items of every split.
        classes: The names of the classes.
    """
    for split, members in items.items():
        seen: set[int] = set()
        for problems, held in map_in_threads(lambda item: _check_item(item, len(classes)), members):
            yield from problems
            seen |= held
        if members and (absent := [name for index, name in enumerate(classes) if index not in seen]):
            consequence = "cannot be learnt" if split == "train" else "have no score"
            message = (
                f"no {split} mask holds {', '.join(absent)}: these classes {consequence}. Check `classes` and "
                "`mask`, or divide the images otherwise (`split`, as segapp.datasets.Fraction with `stratify: true`)."
            )
            yield Problem("class", message, setting="split", severity="warning")


def _check_item(item: Item, num_classes: int) -> tuple[list[Problem], set[int]]:
    """Return the problems of one item, and the classes that its mask holds."""
    problems: list[Problem] = []
    held: set[int] = set()
    size = None
    try:
        size = item.image.shape[:2]
        _read_through(item)
    except SegappError as error:
        problems.append(Problem("image", str(error), _find_path(item.image)))
    if item.mask is None:
        return problems, held
    try:
        if size is not None and item.mask.shape != size:
            height, width = item.mask.shape
            message = (
                f"image {item.name!r} has {size[0]} x {size[1]} pixels and its mask {height} x {width}; save them with "
                "the same size, or correct `masks` if it is the mask of another image."
            )
            problems.append(Problem("mask", message, _find_path(item.mask), "masks"))
        held = find_classes(item.mask)
        if unknown := sorted(index for index in held if index >= num_classes):
            message = f"the mask of {item.name!r} holds {unknown}; classes are 0 … {num_classes - 1}, 255 is ignored."
            problems.append(Problem("mask", message, _find_path(item.mask), "classes"))
    except SegappError as error:
        problems.append(Problem("mask", f"image {item.name!r}: {error}", _find_path(item.mask), "mask"))
    return problems, held


def _read_through(item: Item) -> None:
    """Read all pixels of an image in stripes."""
    height, width, _ = item.image.shape
    rows = max(1, STRIPE_PIXELS // width)
    for y in range(0, height, rows):
        item.image.read_window(y, 0, min(rows, height - y), width)


def _find_path(reference: object) -> Path | None:
    """Return the file of an image or of a mask, if the reference knows one."""
    path = getattr(reference, "path", None)
    if path is None and (files := getattr(reference, "files", None)):
        path = files[0].path
    return path
