"""Check a sample of a split's masks before the first step: masks that cannot be read, classes that are absent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from segapp.batch import IGNORE_INDEX
from segapp.datasets.class_presence import find_classes, map_in_threads
from segapp.datasets.source import Item, SplitName
from segapp.errors import MisuseError
from segapp.loading.messages import format_some, report
from segapp.loading.reader import Reader

SAMPLE = 32  # masks of every split that are always decoded
LIMIT = 512  # masks that are decoded at most, to find classes that are still absent
CHUNK = 16


@dataclass(frozen=True)
class SeenClasses:
    """The classes found in a sample of masks.

    Attributes:
        classes: (K,) bool: those that some mask contains.
        masks: Number of masks that were decoded.
        complete: Whether these are all masks of the split.
    """

    classes: np.ndarray
    masks: int
    complete: bool


def check_masks(reader: Reader, num_classes: int, limit: int = LIMIT) -> SeenClasses:
    """Decode a sample of the masks, and more while some class is absent; the same ones for the same set.

    Raises SegappError naming the image whose mask cannot be read, has another size or a value that is no class.
    """
    order = np.random.default_rng(0).permutation(len(reader)).tolist()
    seen, done = np.zeros(num_classes, bool), 0
    while done < min(len(order), limit) and (done < SAMPLE or not seen.all()):
        chunk = order[done : done + CHUNK]
        for held in map_in_threads(lambda number: _read_classes(reader, number, num_classes), chunk):
            seen[list(held)] = True
        done += len(chunk)
    return SeenClasses(seen, done, done == len(order))


def check_training(items: Mapping[SplitName, Sequence[Item]], classes: Sequence[str], reader: Reader | None) -> None:
    """Check masks before the first step of a training, and log classes that are absent.

    Raises SegappError for one that cannot be used, and where every pixel that would be scored is ignored.

    Args:
        items: Of all splits.
        classes: Their names.
        reader: Reads training masks; None where all of them have been read.
    """
    report_partial(items["train"], classes)
    if reader is not None:
        check_masks(reader, len(classes), limit=SAMPLE)
    if seen := require_scorable(items["val"], "val", len(classes)):
        report_absent(seen, "val", classes)
    if test := items["test"]:
        report_absent(check_masks(Reader(test), len(classes)), "test", classes)


def require_scorable(
    items: Sequence[Item], split: SplitName, num_classes: int, limit: int = LIMIT
) -> SeenClasses | None:
    """Check the masks of a split and return the classes seen; None where it has no items.

    Raises MisuseError where all pixels are to be ignored, and SegappError as `check_masks` does.
    """
    seen = check_masks(Reader(items), num_classes, limit) if items else None
    if seen is not None and seen.complete and not seen.classes.any():
        raise MisuseError(
            f"all pixels of the {seen.masks} {split} masks are {IGNORE_INDEX} (ignore), so nothing can be scored. "
            "Check the masks and how `mask` reads them, or change `split`."
        )
    return seen


def report_absent(seen: SeenClasses, split: SplitName, classes: Sequence[str]) -> None:
    """Log which classes no image of a split shows."""
    if seen.classes.all():
        return
    names = [f"{classes[k]} ({k})" for k in np.flatnonzero(~seen.classes).tolist()]
    whose = f"no {split} image shows" if seen.complete else f"none of {seen.masks} {split} images that were read shows"
    report(
        f"{whose} {format_some(names, 10)}: it has no score there. Change the images of the split, or set another "
        "`seed` or `stratify: true` of segapp.datasets.Fraction."
    )


def report_partial(items: Sequence[Item], classes: Sequence[str]) -> None:
    """Log which classes were looked for in some of the training images only."""
    known = [(True,) * len(classes) if item.looked_for is None else item.looked_for for item in items]
    counts = [sum(looked_for) for looked_for in zip(*known, strict=True)]
    found = [f"{name} in {count}" for name, count in zip(classes, counts, strict=True) if count < len(items)]
    if found:
        report(
            f"of {len(items)} training images, {format_some(found, 10)} were labelled (`looked_for`, or a class that a "
            "joined data set lacks): in the others, the background may be of these classes."
        )


def _read_classes(reader: Reader, number: int, num_classes: int) -> set[int]:
    with reader.name_in_errors(number):
        reader.read_size(number)
        mask = reader.items[number].mask
        held = find_classes(mask) if mask is not None else set()
        if unknown := [index for index in sorted(held) if index >= num_classes]:
            raise MisuseError(
                f"its mask holds {', '.join(map(str, unknown[:8]))}; the classes are 0 … {num_classes - 1}, and 255 is "
                "ignored."
            )
    return held
