"""A look at a split's masks before the first step: a bad one is found at once, and so is a class that is missing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segapp.batch import IGNORE_INDEX
from segapp.datasets.class_presence import find_classes, map_in_threads
from segapp.datasets.source import Item, SplitName
from segapp.errors import MisuseError
from segapp.loading.messages import format_some, report
from segapp.loading.reader import Reader

SAMPLE = 32  # masks of every split that are always decoded
LIMIT = 512  # masks that are decoded at most, in search of classes that were not seen yet
CHUNK = 16


@dataclass(frozen=True)
class Look:
    """What was seen.

    Attributes:
        classes: (K,) bool: the classes that some mask holds.
        masks: Number of masks that were decoded.
        complete: Whether these are all.
    """

    classes: np.ndarray
    masks: int
    complete: bool


def look_at_masks(reader: Reader, num_classes: int, limit: int = LIMIT) -> Look:
    """Decode a sample of the masks, and more while a class was in none; the same ones for the same set.

    Raises SegappError naming the image whose mask cannot be read, has another size or holds what is no class.
    """
    order = np.random.default_rng(0).permutation(len(reader)).tolist()
    seen, done = np.zeros(num_classes, bool), 0
    while done < min(len(order), limit) and (done < SAMPLE or not seen.all()):
        chunk = order[done : done + CHUNK]
        for held in map_in_threads(lambda number: _held(reader, number, num_classes), chunk):
            seen[list(held)] = True
        done += len(chunk)
    return Look(seen, done, done == len(order))


def require_scorable(items: Sequence[Item], split: SplitName, num_classes: int, limit: int = LIMIT) -> Look | None:
    """Look at the masks of a split and return what was seen; None where it has no items.

    Raises MisuseError where all pixels are to be ignored, and SegappError as `look_at_masks` does.
    """
    look = look_at_masks(Reader(items), num_classes, limit) if items else None
    if look is not None and look.complete and not look.classes.any():
        raise MisuseError(
            f"all pixels of the {look.masks} {split} masks are {IGNORE_INDEX} (ignore), so nothing can be scored: "
            "look at the masks and at how `mask` reads them, or give `split` other images."
        )
    return look


def report_absent(look: Look, split: SplitName, classes: Sequence[str]) -> None:
    """Log which classes no image of a split shows."""
    if look.classes.all():
        return
    names = [f"{classes[k]} ({k})" for k in np.flatnonzero(~look.classes).tolist()]
    whose = f"no {split} image shows" if look.complete else f"none of {look.masks} {split} images looked at shows"
    report(
        f"{whose} {format_some(names, 10)}: there is no score for it. Other images, another `seed`, or "
        "segapp.datasets.Fraction with `stratify: true` may change that."
    )


def _held(reader: Reader, number: int, num_classes: int) -> set[int]:
    with reader.naming(number):
        reader.size(number)
        mask = reader.items[number].mask
        held = find_classes(mask) if mask is not None else set()
        if unknown := [index for index in sorted(held) if index >= num_classes]:
            raise MisuseError(
                f"its mask holds {', '.join(map(str, unknown[:8]))}; the classes are 0 … {num_classes - 1}, and 255 is "
                "ignored."
            )
    return held
