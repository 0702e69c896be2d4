"""Choose the groups of images, and how they are divided into train, val and test."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from segapp.checkpoints.regex_limits import BEFORE_NUMBER, BEFORE_TWO_NUMBERS, PARENT, UP_TO_NUMBER
from segapp.natural_order import make_natural_key
from segapp.planning.decisions import Decision
from segapp.planning.fingerprint import Fingerprint, ImageFacts
from segapp.spec import find_volume_name

MIN_GROUPS = 3
"""Fewest groups that can be divided into training and validation."""
MIN_IN_GROUP = 1.5
"""Where groups have fewer images than this on average, neighbours in the order of names may be alike all the same."""
MIN_RECURRING = 0.5
"""Of the rows of tiles so many are there in every scene; patients of one number in every hospital are not."""
TWO_NUMBERS = re.compile(r"(\d+)[^0-9A-Za-z]+[A-Za-z]*\d+[^0-9]*$")
MIN_TESTED_GROUPS = 5
"""With fewer groups none is kept for a test: as many would be left to train on as to validate on."""
MIN_VOLUMES = 3
"""Volumes to validate on, where their slices are so many that a smaller fraction would do."""
FEW = 30
"""With fewer images or volumes none is kept for a test: `segapp folds` scores all of them out of fold."""
FRACTION = 0.2
MAX_EVALUATED = 500
"""More images than this hardly make a score more certain, and cost time at every validation."""
RARE = 0.3
"""A class in a smaller fraction of the images may be missing in a split that is random."""
MIN_LIKENESS = 0.3
"""By how much neighbours' correlation exceeds that of other pairs in slices or frames; see docs/plan.md."""


@dataclass(frozen=True)
class Grouping:
    """A regular expression that finds what images have in common, and how many groups it makes."""

    expression: str
    groups: int
    example: str

    @property
    def pattern(self) -> re.Pattern[str]:
        """The expression, whose groups hold the name of an image's group."""
        return re.compile(self.expression)

    def describe(self, count: int) -> str:
        """Return the reason for groups of `count` images."""
        return (
            f"The {count} names make {self.groups} groups, such as {self.example}: a patient, slide or video, which "
            "no split divides."
        )


def choose_split(fingerprint: Fingerprint, prefix: str = "data.source.init_args") -> list[Decision]:
    """Choose groups and split from the names, the likeness of neighbours, and the images that hold each class."""
    images = fingerprint.images
    volumes = list(dict.fromkeys(volume for image in images if (volume := find_volume_name(image.name)) is not None))
    what, names = ("volumes", volumes) if volumes else ("images", [image.name for image in images])
    count = len(volumes) or fingerprint.total
    grouping = find_groups(names, len(images) < fingerprint.total)
    alike = None if volumes else measure_likeness(images)
    parts = min(FRACTION, max(MAX_EVALUATED / fingerprint.total, MIN_VOLUMES / count if volumes else 0))
    is_few = grouping is not None and grouping.groups < MIN_TESTED_GROUPS
    fractions = {"val": round(parts, 4), "test": 0.0 if is_few or count < FEW else round(parts, 4)}
    kept = (
        f"{parts:.2g} of the {what} are kept for validation and as many for the test"
        if fractions["test"]
        else f"{parts:.2g} of the {count} {what} are kept for validation, and with fewer than "
        f"{FEW if count < FEW else f'{MIN_TESTED_GROUPS} groups'} none for a test: `segapp folds` scores all of them"
    )
    decisions = (
        [] if grouping is None else [Decision(f"{prefix}.group", grouping.expression, grouping.describe(len(names)))]
    )
    is_small = grouping is None or len(names) < MIN_IN_GROUP * grouping.groups
    if is_small and alike is not None and alike >= MIN_LIKENESS:
        reason = (
            f"Neighbours in the order of the names are more alike than other pairs (their correlation is higher by "
            f"{alike:.2f}): slices or frames, which a random split would leak. Train, val and test are ranges; {kept}."
        )
        return [*decisions, Decision(f"{prefix}.split", _make_part("Contiguous", fractions), reason)]
    rare = _find_rare_classes(fingerprint)
    settings: dict[str, Any] = {**fractions, "seed": 0}
    reason = f"Random; {kept}.{' No split divides a volume.' if volumes else ''}"
    if rare and count >= 10:
        settings["stratify"] = True
        reason += f" Stratified, since {', '.join(rare[:3])} {'is' if len(rare) == 1 else 'are'} in few images."
    return [*decisions, Decision(f"{prefix}.split", _make_part("Fraction", settings), reason)]


def find_groups(names: Sequence[str], is_sample: bool = False) -> Grouping | None:
    """Return the groups that folders or the beginnings of names make; None where the names show none.

    Args:
        names: Of images or volumes.
        is_sample: Whether there are more, of which some may have names of another kind.
    """
    for expression in (PARENT, BEFORE_TWO_NUMBERS, BEFORE_NUMBER, UP_TO_NUMBER):
        found = [re.search(expression, name) for name in names]
        if sum(match is not None for match in found) < 0.9 * len(names):
            continue
        words = [match[1] if match else name for match, name in zip(found, names, strict=True)]
        sizes = Counter(words)
        largest, size = sizes.most_common(1)[0]
        if not MIN_GROUPS <= len(sizes) < len(names) or size > 0.7 * len(names):
            continue
        if expression == BEFORE_TWO_NUMBERS:
            if not _are_scenes(names, words):
                continue
        elif not any(re.search(r"\d", word) for word in sizes):  # kinds of images, as cat and dog
            continue
        all_match = all(match is not None for match in found) and not is_sample
        return Grouping(expression if all_match else f"{expression}|^(.*)$", len(sizes), f"{largest!r} ({size} images)")
    return None


def _are_scenes(names: Sequence[str], words: Sequence[str]) -> bool:
    """Return whether names are of tiles, in rows of the same numbers in each scene."""
    rows = {(word, match[1]) for name, word in zip(names, words, strict=True) if (match := TWO_NUMBERS.search(name))}
    numbers = {row for _, row in rows}
    return len(numbers) > 1 and len(rows) >= MIN_RECURRING * len(numbers) * len(set(words))


def measure_likeness(images: Sequence[ImageFacts]) -> float | None:
    """Return by how much the correlation of neighbours exceeds that of images far apart; None with fewer than 6.

    Images are compared as thumbnails, whose mean over all images is subtracted, so that features common to all (a dark
    border, sky above road) do not count.
    """
    if len(images) < 6:
        return None
    order = sorted(range(len(images)), key=lambda i: make_natural_key(images[i].name))
    thumbnails = np.stack([images[i].thumbnail.ravel() for i in order]).astype(np.float64)
    thumbnails -= thumbnails.mean(axis=0)
    thumbnails -= thumbnails.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(thumbnails, axis=1, keepdims=True)
    thumbnails /= np.where(norms > 1e-9, norms, 1)
    neighbours = (thumbnails[1:] * thumbnails[:-1]).sum(axis=1)
    half = len(thumbnails) // 2
    others = (thumbnails[half:] * thumbnails[: len(thumbnails) - half]).sum(axis=1)
    return float(np.median(neighbours) - np.median(others))


def _find_rare_classes(fingerprint: Fingerprint) -> list[str]:
    groups: dict[str, np.ndarray] = {}
    for image in fingerprint.images:
        unit = find_volume_name(image.name) or image.name
        groups[unit] = groups.get(unit, False) | (image.counts > 0)
    held = np.mean(list(groups.values()), axis=0)
    return [
        f"{name} ({fraction:.0%} of the images)"
        for name, fraction in zip(fingerprint.classes, held, strict=True)
        if 0 < fraction < RARE
    ]


def _make_part(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    return {"class_path": f"segapp.datasets.{name}", "init_args": settings}
