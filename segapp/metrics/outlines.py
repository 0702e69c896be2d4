"""The boundaries of classes in two masks, and the distances between them: what boundary scores are computed from.

The boundary of a class is its pixels with a neighbour above, below, left or right that is another class. The frame of
the image and ignored pixels hide where an object ends: a pixel is no boundary because of them.
"""

import math
import re
from collections import defaultdict
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from segapp.batch import IGNORE_INDEX
from segapp.errors import MisuseError, SegappError

TOLERANCE = 2.0
"""In pixels, or in the unit of a spacing."""


MICROMETRES = {"um": 1.0, "µm": 1.0, "mm": 1e3, "cm": 1e4, "m": 1e6}
"""The lengths of units in µm."""


class BoundaryUnit(NamedTuple):
    """How distances between boundaries are measured: in pixels, or in the unit of a spacing."""

    tolerance: float = TOLERANCE
    """How far from the other boundary a boundary pixel may be for surface Dice."""
    spacing: tuple[float, float] = (1.0, 1.0)
    """Height and width of a pixel."""
    name: str = ""
    """`mm` or another key of `MICROMETRES`, where the spacing is that of each image's file; empty where it is given."""

    @classmethod
    def parse(cls, word: str) -> "BoundaryUnit":
        """Return the unit and the tolerance that a word as `1mm`, `0.5um` or `2px` says; MisuseError for others."""
        found = re.fullmatch(r"\s*([0-9.eE+-]+)\s*([a-zµ]*)\s*", word.replace("\u03bc", "µ"))
        number, name = found.groups() if found else ("", "")
        try:
            tolerance = float(number)
        except ValueError:
            tolerance = math.nan
        if not 0 <= tolerance < math.inf or name not in {"px", *MICROMETRES}:
            raise MisuseError(
                f"--tolerance {word}: give a distance of 0 or more with its unit, as 2px (pixels) or 1mm; units are "
                f"px, {', '.join(MICROMETRES)}."
            )
        return cls(tolerance, name="" if name == "px" else name)

    def __str__(self) -> str:
        return f"{self.tolerance:g}{self.name or 'px'}"

    def fit(self, pixel_size: tuple[float, float] | None, image: str) -> "BoundaryUnit":
        """Return the unit with the spacing of an image's file; MisuseError where the file states none.

        Args:
            pixel_size: Height and width in µm.
            image: Its name.
        """
        if not self.name:
            return self
        if pixel_size is None:
            raise MisuseError(
                f"{image}: its file states no size of a pixel, so distances in {self.name} are unknown; give "
                f"--tolerance in pixels, as {TOLERANCE:g}px."
            )
        y, x = (side / MICROMETRES[self.name] for side in pixel_size)
        return self._replace(spacing=(y, x))

    def require_positive(self) -> None:
        """Raise MisuseError for sizes of pixels that are not above 0, or a tolerance below 0."""
        if len(self.spacing) != 2 or not all(0 < side < math.inf for side in self.spacing):
            raise MisuseError(f"spacing is the height and the width of a pixel, both above 0; got {self.spacing}.")
        if not 0 <= self.tolerance < math.inf:
            raise MisuseError(f"tolerance is a distance, 0 or more; got {self.tolerance}.")


class Presence(Enum):
    """Where a class and its boundary occur."""

    NEITHER = "the class is in neither mask"
    FULL = "both masks have the class, and neither a boundary, as each fills all pixels that are not ignored"
    ONE = "one mask only has the class, or one only has a boundary"
    BOTH = "both masks have a boundary"


class BoundaryDistances(NamedTuple):
    """The distances between the two boundaries of one class."""

    presence: Presence
    from_target: np.ndarray
    """(T,) float64: from every pixel of the target's boundary to the nearest of the prediction's; empty unless BOTH."""
    from_prediction: np.ndarray
    """(P,) float64: the reverse."""
    diagonal: float
    """Of the image: no two pixels are further apart."""


EMPTY = np.zeros(0)

NEAR = 5
"""Pixels around a boundary pixel in which the other boundary is looked up."""


def measure_boundaries(
    prediction: np.ndarray, mask: np.ndarray, num_classes: int, spacing: tuple[float, float] = (1.0, 1.0)
) -> list[BoundaryDistances]:
    """Measure the distances between the boundaries of every class of one image, exact between pixel centres.

    Args:
        prediction: (H, W) class indices.
        mask: (H, W) true class indices; pixels of 255 count as neither, whatever was predicted there.
        num_classes: K.
        spacing: Height and width of a pixel.

    Raises:
        SegappError: shapes that differ, or are not (H, W).
    """
    if prediction.shape != mask.shape or mask.ndim != 2:
        raise SegappError(
            f"a prediction of shape {prediction.shape} has no boundary scores against a mask of shape {mask.shape}: "
            "both must be (height, width), and equal."
        )
    known = mask != IGNORE_INDEX
    targets, predictions = (_Outlines(indices, known, num_classes) for indices in (mask, prediction))
    diagonal = math.hypot(*(size * step for size, step in zip(mask.shape, spacing, strict=True)))
    there, back = _measure(targets, predictions, spacing), _measure(predictions, targets, spacing)
    return [
        BoundaryDistances(Presence.BOTH, there[targets.of_class(label)], back[predictions.of_class(label)], diagonal)
        if (presence := _find_presence(targets, predictions, label)) is Presence.BOTH
        else BoundaryDistances(presence, EMPTY, EMPTY, diagonal)
        for label in range(num_classes)
    ]


class _Outlines:
    """The boundary pixels of a class map, found once for all classes and ordered by class, then from the top left."""

    def __init__(self, indices: np.ndarray, known: np.ndarray, num_classes: int) -> None:
        height, width = indices.shape
        flat = np.flatnonzero(_find_edges(indices, known))
        labels = indices.ravel()[flat]
        is_class = (labels >= 0) & (labels < num_classes)
        if not is_class.all():
            flat, labels = flat[is_class], labels[is_class]
        labels = labels.astype(np.uint8, copy=False)
        order = np.argsort(labels, kind="stable")
        self.labels, flat = labels[order], flat[order]
        self.rows = flat // width
        self.stride, self.columns = width + 2 * NEAR, flat - self.rows * width
        self.positions = flat + self.rows * (2 * NEAR) + NEAR * (self.stride + 1)
        self.map = np.full((height + 2 * NEAR) * self.stride, IGNORE_INDEX, np.uint8)  # with a margin for offsets
        self.map[self.positions] = self.labels
        self.bounds = np.searchsorted(self.labels, np.arange(num_classes + 1))
        self.present = np.diff(self.bounds) > 0
        values = (
            indices.ravel()[:1] if known.all() else indices[known]
        )  # without gaps only the class of all has no edge
        self.present[values[(values >= 0) & (values < num_classes)]] = True

    def of_class(self, label: int) -> slice:
        """Return where the points of a class are."""
        return slice(self.bounds[label], self.bounds[label + 1])

    def place(self, which: slice | np.ndarray, spacing: tuple[float, float]) -> np.ndarray:
        """Return (n, 2) float64: where points lie, in the unit of the spacing."""
        return np.stack([self.rows[which] * spacing[0], self.columns[which] * spacing[1]], 1)


def _find_edges(indices: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return (H * W,) bool: known pixels with a known neighbour of another class."""
    flat, width, edge = indices.ravel(), indices.shape[1], np.zeros(indices.size, bool)
    certain = None if known.all() else known.ravel()
    for step, end in ((width, flat.size), (1, width)):
        change = flat[step:] != flat[:-step]
        change[end - 1 :: end] = False  # the last pixel of a row and the first of the next
        if certain is not None:
            change &= certain[step:]
            change &= certain[:-step]
        edge[step:] |= change
        edge[:-step] |= change
    return edge


def _find_presence(targets: _Outlines, predictions: _Outlines, label: int) -> Presence:
    where = [bool(outlines.present[label]) for outlines in (targets, predictions)]
    bounded = [outlines.bounds[label] < outlines.bounds[label + 1] for outlines in (targets, predictions)]
    if not any(where):
        return Presence.NEITHER
    if all(where) and not any(bounded):
        return Presence.FULL
    return Presence.BOTH if all(where) and all(bounded) else Presence.ONE


def _measure(points: _Outlines, others: _Outlines, spacing: tuple[float, float]) -> np.ndarray:
    """Measure (points,) float64 distances to the nearest of the others of the same class; inf where there is none.

    Most of them are a few pixels: those are looked up, and only the rest is searched for.
    """
    distances, left = np.full(len(points.labels), math.inf), np.arange(len(points.labels))
    labels, corners = points.labels, points.positions - NEAR * (points.stride + 1)
    for distance, offsets in _list_near(spacing):
        found = np.zeros(len(left), bool)
        for y, x in offsets:
            shifted = others.map[(NEAR + y) * others.stride + NEAR + x :]  # a view: no sum for each point
            found |= shifted.take(corners) == labels
        distances[left.take(np.flatnonzero(found))] = distance
        rest = np.flatnonzero(~found)
        left, labels, corners = left.take(rest), labels.take(rest), corners.take(rest)
    for label in np.flatnonzero(np.bincount(labels)).tolist():
        far, candidates = left[labels == label], others.place(others.of_class(label), spacing)
        if len(candidates):
            distances[far] = _search(points.place(far, spacing), candidates)
    return distances


PAIRS = 1 << 17
"""Up to how many pairs of points are all compared, which is faster than building a tree."""


def _search(points: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Return (n,) float64: the distance of every point to the nearest candidate, both (…, 2) float64."""
    if len(points) * len(candidates) <= PAIRS:
        squares = (points[:, :1] - candidates[:, 0]) ** 2
        squares += (points[:, 1:] - candidates[:, 1]) ** 2
        return np.sqrt(squares.min(1))
    tree = cKDTree(candidates, leafsize=32, balanced_tree=False, compact_nodes=False)  # pixels need no balanced tree
    return tree.query(points)[0]


@lru_cache
def _list_near(spacing: tuple[float, float]) -> list[tuple[float, list[tuple[int, int]]]]:
    """List the distances up to NEAR times the smaller side of a pixel, in order, each with its offsets (y, x)."""
    offsets: dict[float, list[tuple[int, int]]] = defaultdict(list)
    for y in range(-NEAR, NEAR + 1):
        for x in range(-NEAR, NEAR + 1):
            distance = math.sqrt((y * spacing[0]) ** 2 + (x * spacing[1]) ** 2)
            if distance <= NEAR * min(spacing):
                offsets[distance].append((y, x))
    return sorted(offsets.items())
