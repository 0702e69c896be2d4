"""The shapes that annotations are made of: each covers pixels of an image and has a class name."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from pycocotools import mask as coco_mask

from segapp.datasets.annotations.runs import decode_columns, decode_compressed, find_covered
from segapp.errors import MisuseError
from segapp.io import decode_png, draw_outline

MAX_CANVAS = 2**27
"""Pixels that are drawn at once (11,585 x 11,585)."""


def require_drawable(height: int, width: int) -> None:
    """Raise MisuseError for more pixels than are drawn at once: a small file may state a huge shape."""
    if height * width > MAX_CANVAS:
        raise MisuseError(
            f"its part of the image has {height:,} x {width:,} pixels, and {MAX_CANVAS:,} at most are drawn at once; "
            "save the masks as PNG or TIFF files"
        )


class Window(NamedTuple):
    """A rectangle of pixels."""

    y: int
    x: int
    h: int
    w: int

    def intersect(self, other: "Window") -> "Window":
        """Return the pixels in both; height or width is 0 where there are none."""
        y, x = max(self.y, other.y), max(self.x, other.x)
        bottom, right = min(self.y + self.h, other.y + other.h), min(self.x + self.w, other.x + other.w)
        return Window(y, x, max(0, bottom - y), max(0, right - x))


@dataclass(frozen=True, slots=True)
class Shape(ABC):
    """One annotated area."""

    label: str
    """Class name in the file; empty where it has none."""

    @property
    @abstractmethod
    def bounds(self) -> Window:
        """The rectangle that holds every covered pixel; it may reach beyond the image."""

    @abstractmethod
    def cover(self, window: Window) -> np.ndarray:
        """Return (h, w) bool: the covered pixels of a window inside `bounds`."""

    def scale(self, height: float, width: float) -> "Shape":
        """Return the shape with its coordinates, fractions of the image, in pixels."""
        return self

    @property
    def ignored(self) -> bool:
        """Whether its pixels are to be ignored, as those of COCO's crowds."""
        return False

    @property
    def outline(self) -> float:
        """Pixels along its outlines: drawing takes time and memory for each."""
        return 0.0


@dataclass(frozen=True, slots=True)
class Polygons(Shape):
    """Polygons in pixels, each an outer ring and holes; drawn as pycocotools does: pixels whose centre is inside."""

    parts: tuple[tuple[np.ndarray, ...], ...]
    """Rings of (N, 2) float64 x, y; 0 is the upper or left border of the first pixel."""
    crowd: bool = False

    @property
    def ignored(self) -> bool:
        """Whether COCO calls it a crowd."""
        return self.crowd

    @property
    def bounds(self) -> Window:
        """The rectangle around the outer rings, one pixel wider on each side."""
        return bound_points(np.concatenate([part[0] for part in self.parts]))

    @property
    def outline(self) -> float:
        """Pixels along all rings."""
        return sum(measure_outline(ring) for part in self.parts for ring in part)

    @property
    def area(self) -> float:
        """Pixels inside the outer rings, without those of the holes."""
        return sum(_measure_area(outer) - sum(map(_measure_area, holes)) for outer, *holes in self.parts)

    def scale(self, height: float, width: float) -> "Polygons":
        """Return the polygons with fractions of the image turned into pixels."""
        factor = np.array([width, height])
        return Polygons(self.label, tuple(tuple(ring * factor for ring in part) for part in self.parts), self.crowd)

    def cover(self, window: Window) -> np.ndarray:
        """Return (h, w) bool: inside an outer ring, and in none of its holes."""
        covered = np.zeros((window.h, window.w), bool)
        for outer, *holes in self.parts:
            inside = self._cover_ring(outer, window)
            for hole in holes:
                inside &= ~self._cover_ring(hole, window)
            covered |= inside
        return covered

    def _cover_ring(self, ring: np.ndarray, window: Window) -> np.ndarray:
        return _cover_ring(ring, window)


def _measure_area(ring: np.ndarray) -> float:
    """Return the pixels inside a ring of (N, 2) points."""
    x, y = ring.T
    return abs(float(x[:-1] @ y[1:] - x[1:] @ y[:-1] + x[-1] * y[0] - x[0] * y[-1])) / 2


def measure_outline(points: np.ndarray) -> float:
    """Return the pixels along a closed outline of (N, 2) points."""
    return float(np.abs(np.diff(points, axis=0, append=points[:1])).max(1).sum())


def bound_points(points: np.ndarray) -> Window:
    """Return the rectangle of whole pixels around (N, 2) points, one pixel wider on each side."""
    left, top = np.floor(points.min(0)).astype(int) - 1
    right, bottom = np.ceil(points.max(0)).astype(int) + 1
    return Window(int(top), int(left), int(bottom - top), int(right - left))


def _cover_ring(ring: np.ndarray, window: Window) -> np.ndarray:
    """Return (h, w) bool as pycocotools would draw the ring on the whole image.

    It is drawn in the frame of the image, down to the window's lower right corner: elsewhere other coordinates would be
    rounded up. As runs that takes memory for the outline only.
    """
    height, width = window.y + window.h, window.x + window.w
    if len(ring) < 3:  # pycocotools takes two points for a box
        return np.zeros((window.h, window.w), bool)
    (drawn,) = coco_mask.frPyObjects([ring.ravel().tolist()], height, width)
    return decode_columns(decode_compressed(drawn["counts"]), height, window.x, width)[window.y :]


@dataclass(frozen=True, slots=True)
class Outline(Shape):
    """A polygon, rectangle or ellipse drawn as LabelMe does: in whole pixels, with its border."""

    kind: str
    """What `segapp.io.draw_outline` knows: polygon, rectangle or ellipse (by two corners)."""
    points: np.ndarray
    """(N, 2) x, y of pixels; fractions are cut off."""

    @property
    def bounds(self) -> Window:
        """The rectangle around the points, one pixel wider on each side."""
        return bound_points(self.points)

    @property
    def outline(self) -> float:
        """Pixels along the polygon, or along the line between the corners."""
        return measure_outline(self.points)

    def cover(self, window: Window) -> np.ndarray:
        """Return (h, w) bool."""
        points = np.trunc(self.points).astype(np.int64)
        left, top = np.maximum(points.min(0), 0).tolist()
        height, width = window.y + window.h - top, window.x + window.w - left
        covered = np.zeros((window.h, window.w), bool)
        if height > 0 and width > 0:
            require_drawable(height, width)
            drawn = draw_outline(self.kind, points - np.array([left, top]), height, width)
            seen = window.intersect(Window(top, left, height, width))
            covered[seen.y - window.y :, seen.x - window.x :] = drawn[seen.y - top :, seen.x - left :]
        return covered


@dataclass(frozen=True, slots=True)
class Runs(Shape):
    """Run lengths of a rectangle of pixels; the first run is not covered."""

    box: Window
    counts: np.ndarray | bytes
    """(N,) int64, or as COCO compresses them."""
    by_rows: bool = False
    """Whether runs go along rows, as CVAT's, and not down columns, as COCO's."""
    crowd: bool = False

    @property
    def ignored(self) -> bool:
        """Whether COCO calls it a crowd."""
        return self.crowd

    @property
    def bounds(self) -> Window:
        """The rectangle around what is covered; MisuseError where the runs do not fill `box`."""
        if self.by_rows:
            x, y, w, h = find_covered(self._decode(), self.box.w, self.box.h)
        else:
            y, x, h, w = find_covered(self._decode(), self.box.h, self.box.w)
        return Window(self.box.y + y, self.box.x + x, h, w)

    @property
    def area(self) -> float:
        """Covered pixels; 0 where the runs are damaged, which are refused when they are painted."""
        try:
            return float(self._decode()[1::2].sum())
        except MisuseError:
            return 0.0

    def cover(self, window: Window) -> np.ndarray:
        """Return (h, w) bool."""
        y, x = window.y - self.box.y, window.x - self.box.x
        if self.by_rows:
            return decode_columns(self._decode(), self.box.w, y, y + window.h)[x : x + window.w].T
        return decode_columns(self._decode(), self.box.h, x, x + window.w)[y : y + window.h]

    def _decode(self) -> np.ndarray:
        return decode_compressed(self.counts) if isinstance(self.counts, bytes) else self.counts


@dataclass(frozen=True, slots=True)
class Bitmap(Shape):
    """A small PNG at an offset; covered where it is neither 0 nor transparent."""

    box: Window
    png: bytes

    @property
    def bounds(self) -> Window:
        """The rectangle that the PNG fills."""
        return self.box

    def cover(self, window: Window) -> np.ndarray:
        """Return (h, w) bool; MisuseError for a damaged PNG or one of another size."""
        y, x = window.y - self.box.y, window.x - self.box.x
        return decode_png(self.png, self.box.h, self.box.w)[y : y + window.h, x : x + window.w]


def sort_by_area(shapes: Sequence[Polygons | Runs]) -> tuple[Polygons | Runs, ...]:
    """Return shapes from the largest to the smallest, those of one area in their order: the last is painted above."""
    return tuple(sorted(shapes, key=lambda shape: -shape.area))


def make_rotated_box(x: float, y: float, w: float, h: float, degrees: float, about: tuple[float, float]) -> np.ndarray:
    """Return the four corners of a rectangle turned clockwise about a point."""
    corners = np.array([(x, y), (x + w, y), (x + w, y + h), (x, y + h)], np.float64)
    return rotate_points(corners, degrees, about)


def make_ellipse(centre: tuple[float, float], radii: tuple[float, float], degrees: float = 0.0) -> np.ndarray:
    """Return an ellipse as a polygon that is nowhere more than a tenth of a pixel away from it."""
    largest = max(*radii, 1.0)
    count = int(np.clip(np.ceil(np.pi / np.arccos(1 - min(0.1 / largest, 1))), 16, 4096))
    angles = np.arange(count) * (2 * np.pi / count)
    points = np.stack([np.cos(angles) * radii[0], np.sin(angles) * radii[1]], 1) + np.asarray(centre)
    return rotate_points(points, degrees, centre)


def rotate_points(points: np.ndarray, degrees: float, about: Sequence[float]) -> np.ndarray:
    """Return (N, 2) points turned clockwise, as one sees them, about a point."""
    angle, centre = np.deg2rad(degrees), np.asarray(about)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return (points - centre) @ turn + centre if degrees else points
