"""Checks that read the images and masks of a data set."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

import numpy as np

from segapp.datasets.blocks import ImageBlock, MaskBlock
from segapp.datasets.class_presence import find_classes, list_classes, map_in_threads
from segapp.datasets.problems import Problem
from segapp.datasets.source import Item, MaskReference, SplitName
from segapp.errors import SegappError

USUAL_CHANNELS = 4
"""Channels up to which an image's pixels count as one each."""
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
        for found in map_in_threads(lambda item: check_item(item, len(classes)), members):
            yield from found.problems
            seen |= found.held
        yield from find_absent_classes(split, bool(members), seen, classes)


def find_absent_classes(split: SplitName, has_items: bool, seen: set[int], classes: Sequence[str]) -> Iterator[Problem]:
    """Yield a warning for the classes that no mask of a split holds."""
    if has_items and (absent := [name for index, name in enumerate(classes) if index not in seen]):
        consequence = "cannot be learnt" if split == "train" else "have no score"
        message = (
            f"no {split} mask holds {', '.join(absent)}: these classes {consequence}. Check `classes` and "
            "`mask`, or divide the images otherwise (`split`, as segapp.datasets.Fraction with `stratify: true`)."
        )
        yield Problem("class", message, setting="split", severity="warning")


@dataclass
class CheckedItem:
    """What reading one item found."""

    problems: list[Problem] = field(default_factory=list)
    held: set[int] = field(default_factory=set)
    """The classes in the mask."""
    size: tuple[int, int] | None = None
    """Height and width of the image; None where its header cannot be read."""
    image: np.ndarray | None = None
    """(H, W, C), where it was to be kept and could be read."""
    mask: np.ndarray | None = None
    """(H, W) uint8, where it was to be kept, could be read and has the image's size."""


def check_item(item: Item, num_classes: int, keep: int = 0) -> CheckedItem:
    """Read an image and its mask once; images of up to `keep` pixels are returned with what was found."""
    found = CheckedItem()
    try:
        found.size = item.image.shape[:2]
        if prod(found.size) * max(1.0, item.image.shape[2] / USUAL_CHANNELS) <= keep:
            found.image = item.image.read()
        else:
            _read_through(item)
    except SegappError as error:
        found.problems.append(Problem("image", str(error), find_path(item.image), items=(item.name,)))
    if item.mask is not None:
        try:
            _check_mask(item, item.mask, num_classes, keep, found)
        except SegappError as error:
            found.problems.append(
                Problem("mask", f"image {item.name!r}: {error}", find_path(item.mask), "mask", items=(item.name,))
            )
    return found


def _check_mask(item: Item, mask: MaskReference, num_classes: int, keep: int, found: CheckedItem) -> None:
    agrees = found.size is None or mask.shape == found.size
    if not agrees:
        assert found.size is not None
        (height, width), (mask_height, mask_width) = found.size, mask.shape
        message = (
            f"image {item.name!r} has {height} x {width} pixels and its mask {mask_height} x {mask_width}; save them "
            "with the same size, or correct `masks` if it is the mask of another image."
        )
        found.problems.append(Problem("mask", message, find_path(mask), "masks", items=(item.name,)))
    if prod(mask.shape) <= keep:
        pixels = mask.read()
        found.held = list_classes(pixels)
        found.mask = pixels if agrees else None
    else:
        found.held = find_classes(mask)
    if unknown := sorted(index for index in found.held if index >= num_classes):
        message = f"the mask of {item.name!r} holds {unknown}; classes are 0 … {num_classes - 1}, 255 is ignored."
        found.problems.append(Problem("mask", message, find_path(mask), "classes", items=(item.name,)))
        found.mask = None


def _read_through(item: Item) -> None:
    """Read all pixels of an image in stripes."""
    height, width, _ = item.image.shape
    rows = max(1, STRIPE_PIXELS // width)
    for y in range(0, height, rows):
        item.image.read_window(y, 0, min(rows, height - y), width)


def find_path(reference: object) -> Path | None:
    """Return the file of an image or of a mask, if the reference knows one."""
    if isinstance(reference, ImageBlock | MaskBlock):
        reference = reference.whole
    path = getattr(reference, "path", None)
    if path is None and (files := getattr(reference, "files", None)):
        path = files[0].path
    return path
