"""Objects that a network sees and a mask denies, and objects of a mask that the network denies."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import sqrt

import cv2
import numpy as np

from segapp.batch import IGNORE_INDEX

MOST = 0.5
"""Fraction of an object from which it is denied as a whole; less is a border drawn otherwise."""

Kind = tuple[bool, int]
"""Whether the mask lacks the objects (else it has too many), and their class."""


@dataclass(frozen=True)
class Region:
    """Where a mask is contradicted."""

    labelled: int = IGNORE_INDEX
    """Class that the mask has there."""
    predicted: int = IGNORE_INDEX
    """Class that the network sees there."""
    area: int = 0
    """Pixels."""
    centre: tuple[int, int] = (0, 0)
    """Row and column of its centre."""


@dataclass(frozen=True)
class DeniedObjects:
    """The objects of one image that are denied, by their kind."""

    strengths: Mapping[Kind, float] = field(default_factory=dict)
    """Of the most strongly denied object: fraction denied x mean margin of probability x sqrt(area / image's area)."""
    sums: Mapping[Kind, float] = field(default_factory=dict)
    """The strengths of all objects."""
    regions: Mapping[Kind, Region] = field(default_factory=dict)
    """Where the most strongly denied object is."""


def find_denied_objects(
    mask: np.ndarray, predicted: np.ndarray, likelier: np.ndarray, margin: np.ndarray, background: int | None
) -> DeniedObjects:
    """Find connected regions of one class of which the other side denies `MOST` or more.

    Args:
        mask: (H, W) uint8 class indices, 255 where nothing is labelled.
        predicted: (H, W) uint8: the network's classes.
        likelier: (H, W) uint8: the class that contradicts the mask's, 255 where none does.
        margin: (H, W) float32: by how much it is more probable.
        background: The class that has no objects.
    """
    strengths: dict[Kind, float] = {}
    sums: dict[Kind, float] = {}
    regions: dict[Kind, Region] = {}
    denied = likelier != IGNORE_INDEX
    seen = np.where(mask == IGNORE_INDEX, IGNORE_INDEX, predicted).astype(np.uint8)
    for is_lacking, classes, given in ((True, seen, likelier), (False, mask, mask)):
        for index in np.unique(given[denied]):
            if index == background:
                continue
            found = _measure_objects(classes == index, denied & (given == index), margin)
            if found is None:
                continue
            kind = is_lacking, int(index)
            strongest, sums[kind], inside = found
            strengths[kind] = strongest
            regions[kind] = describe_region(inside, mask, likelier)
    return DeniedObjects(strengths, sums, regions)


def _measure_objects(
    objects: np.ndarray, denied: np.ndarray, margin: np.ndarray
) -> tuple[float, float, np.ndarray] | None:
    """Return the highest strength, the sum of all, and the denied pixels of the strongest; None without any."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(objects.astype(np.uint8), connectivity=4)
    numbers = labels[denied]
    areas = np.bincount(numbers, minlength=count)
    margins = np.bincount(numbers, margin[denied], minlength=count)
    fractions = areas / np.maximum(stats[:, cv2.CC_STAT_AREA], 1)
    chosen = np.flatnonzero(fractions >= MOST)
    chosen = chosen[chosen > 0]
    if not len(chosen):
        return None
    strengths = fractions[chosen] * margins[chosen] / np.sqrt(areas[chosen] * objects.size)
    return float(strengths.max()), float(strengths.sum()), denied & (labels == chosen[strengths.argmax()])


def describe_region(inside: np.ndarray, mask: np.ndarray, likelier: np.ndarray) -> Region:
    """Return the most frequent classes, the pixels and the centre of a region (H, W) bool."""
    rows, columns = np.nonzero(inside)
    return Region(
        labelled=int(np.bincount(mask[inside]).argmax()),
        predicted=int(np.bincount(likelier[inside]).argmax()),
        area=len(rows),
        centre=(round(float(rows.mean())), round(float(columns.mean()))),
    )


def weigh_objects(found: list[DeniedObjects]) -> list[tuple[float, Region]]:
    """Return for every image the score of its denied objects, 0 without any, and where the strongest is.

    A strength is divided by sqrt(rate), where the rate of a kind is the mean over the images of its sums: what the
    network misses or invents in many images is its own weakness.
    """
    totals: dict[Kind, float] = {}
    for one in found:
        for kind, value in one.sums.items():
            totals[kind] = totals.get(kind, 0.0) + value
    weights = {kind: 1 / sqrt(total / len(found)) for kind, total in totals.items()}
    return [
        max(((weights[kind] * value, one.regions[kind]) for kind, value in one.strengths.items()), key=_get_score)
        if one.strengths
        else (0.0, Region())
        for one in found
    ]


def _get_score(scored: tuple[float, Region]) -> float:
    return scored[0]
