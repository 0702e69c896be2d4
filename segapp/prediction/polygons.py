"""Connected regions of a class, as polygons (GeoJSON, RFC 7946) and as runs (COCO)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from segapp.spec import Spec

Affine = tuple[float, float, float, float, float, float]
"""x, dx/dcolumn, dx/drow, y, dy/dcolumn, dy/drow of the image's upper left corner (GDAL's order)."""

PIXELS: Affine = (0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
"""Coordinates in pixels: x to the right, y down, (0, 0) the outer corner of the first pixel."""


def scale_pixels(downsample: tuple[float, float]) -> Affine:
    """Return the map to pixels of a slide's finest level, of which so many, down and across, make one."""
    down, across = downsample
    return (0.0, across, 0.0, 0.0, 0.0, down)


Ring = np.ndarray
"""(n + 1, 2) int x, y on the lattice of pixel corners, closed."""


@dataclass(frozen=True)
class Region:
    """Pixels of one class, connected by their sides; `mask` (h, w) bool, its corner at (y, x)."""

    label: int
    y: int
    x: int
    mask: np.ndarray

    @property
    def pixels(self) -> int:
        """Its area."""
        return int(self.mask.sum())


def find_regions(indices: np.ndarray, spec: Spec) -> Iterator[Region]:
    """Find the regions of (H, W) uint8 class indices, class by class, without the background."""
    for label in np.flatnonzero(np.bincount(indices.ravel(), minlength=spec.num_classes)[: spec.num_classes]):
        if label == spec.background:
            continue
        count, parts, stats, _ = cv2.connectedComponentsWithStats((indices == label).astype(np.uint8), connectivity=4)
        for part in range(1, count):
            x, y, w, h = (int(value) for value in stats[part, :4])
            yield Region(int(label), y, x, parts[y : y + h, x : x + w] == part)


def trace_rings(mask: np.ndarray) -> list[Ring]:
    """Return the outlines of one region along its pixels' edges: the outer one first, then its holes.

    The lattice points where an outline turns are those whose four pixels hold one, three or two diagonal ones.
    Along every row and every column of the lattice they pair up into edges; an outline alternates between the two.
    No outline meets itself: where two pixels of the region touch in a corner, two outlines touch in that point, which
    is what makes the polygon valid (OGC 06-103r4, 6.1.11: rings may touch in a point, a ring must be simple).
    """
    grid = np.pad(mask, 1).astype(np.int8)
    up_left, up_right, down_left, down_right = grid[:-1, :-1], grid[:-1, 1:], grid[1:, :-1], grid[1:, 1:]
    total = up_left + up_right + down_left + down_right
    saddle = (total == 2) & (up_left == down_right)
    ys, xs = np.nonzero((total == 1) | (total == 3) | saddle)
    times = np.where(saddle[ys, xs], 2, 1)  # a saddle is two turns, one around each pixel that is not of the region
    second = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)  # 0, and 1 for a saddle's other one
    ys, xs = np.repeat(ys, times), np.repeat(xs, times)
    # In row order a saddle's first copy ends the edge on its left and its second begins the one on its right. The
    # edge on the left meets the column edge above where the pixel up left is the one outside, else the one below.
    # (The region is connected by sides, so its pixels outside that meet here are two holes, or a hole and the rest.)
    above = np.where(up_left[ys, xs] == 1, 1 - second, second)
    along, down = _pair_edges(np.lexsort((second, xs, ys))), _pair_edges(np.lexsort((above, ys, xs)))
    found = []
    left = np.ones(len(ys), bool)
    for first in range(len(ys)):
        if left[first]:
            found.append(np.array([(xs[i], ys[i]) for i in _follow_loop(first, along, down, left)]))
    closed = [np.concatenate([ring, ring[:1]]) for ring in found]
    return sorted(closed, key=lambda ring: -abs(compute_signed_area(ring)))


def compute_signed_area(ring: Ring) -> float:
    """Compute the area by the shoelace formula.

    Positive where the ring goes clockwise as seen on the screen (y down).
    """
    x, y = ring[:, 0].astype(np.float64), ring[:, 1].astype(np.float64)
    return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) / 2)


def place_rings(region: Region, affine: Affine = PIXELS) -> list[np.ndarray]:
    """Return the polygon of a region: (n, 2) float64 x, y of its outer ring and its holes, closed.

    The outer ring is counter-clockwise and the holes are clockwise where y points up.
    """
    rings = []
    for number, ring in enumerate(trace_rings(region.mask)):
        placed = _place_ring(ring + np.array([region.x, region.y]), affine)
        wanted = 1 if number == 0 else -1
        rings.append(placed if np.sign(compute_signed_area(placed)) == wanted else placed[::-1])
    return rings


def make_properties(region: Region, spec: Spec) -> dict[str, str | int]:
    """Return what is known about a region: its class, the number of it, and its area in pixels."""
    return {"class": spec.classes[region.label], "index": region.label, "pixels": region.pixels}


def make_feature(region: Region, spec: Spec, affine: Affine = PIXELS) -> dict[str, Any]:
    """Make a GeoJSON Feature of a region: a Polygon."""
    return {
        "type": "Feature",
        "properties": make_properties(region, spec),
        "geometry": {"type": "Polygon", "coordinates": [ring.tolist() for ring in place_rings(region, affine)]},
    }


def make_contours(indices: np.ndarray, spec: Spec, affine: Affine | None, crs: str | None) -> dict[str, Any]:
    """Make a GeoJSON FeatureCollection of every region, in the image's coordinate system or, without one, in pixels."""
    features = [make_feature(region, spec, affine or PIXELS) for region in find_regions(indices, spec)]
    named = {} if crs is None else {"crs": {"type": "name", "properties": {"name": crs}}}
    return {"type": "FeatureCollection", **named, "features": features}


def make_annotation(region: Region, size: tuple[int, int]) -> dict[str, Any]:
    """Make one COCO annotation, without ids: uncompressed run lengths, which keep holes; size is (H, W)."""
    height, width = region.mask.shape
    return {
        "category_id": region.label,
        "bbox": [region.x, region.y, width, height],
        "area": region.pixels,
        "iscrowd": 0,
        "segmentation": {"size": list(size), "counts": compute_runs(region, size)},
    }


def compute_runs(region: Region, size: tuple[int, int]) -> list[int]:
    """Compute COCO's run lengths: zeros, ones, zeros, … down the columns of the complete (H, W) image."""
    columns, rows = np.nonzero(region.mask.T)
    flat = (columns + region.x) * size[0] + rows + region.y
    breaks = np.flatnonzero(np.diff(flat) != 1)
    first, last = flat[np.concatenate([[0], breaks + 1])], flat[np.concatenate([breaks, [len(flat) - 1]])] + 1
    edges = np.stack([first, last], axis=1).ravel()
    lengths = [int(length) for length in np.diff(np.concatenate([[0], edges, [size[0] * size[1]]]))]
    return lengths if lengths[-1] else lengths[:-1]


def _pair_edges(order: np.ndarray) -> np.ndarray:
    """Pair the edges that meet: neighbours in `order`, two by two."""
    partner = np.empty_like(order)
    partner[order[::2]], partner[order[1::2]] = order[1::2], order[::2]
    return partner


def _follow_loop(first: int, along: np.ndarray, down: np.ndarray, left: np.ndarray) -> Iterator[int]:
    """Follow the turns of one outline, by a row edge and a column edge in turn; each is taken from those `left`."""
    current = first
    while left[current]:
        other = along[current]
        left[current] = left[other] = False
        yield current
        yield int(other)
        current = down[other]


def _place_ring(ring: Ring, affine: Affine) -> np.ndarray:
    """Place lattice points: (n, 2) float64 coordinates."""
    x0, xx, xy, y0, yx, yy = affine
    x, y = ring[:, 0], ring[:, 1]
    return np.stack([x0 + xx * x + xy * y, y0 + yx * x + yy * y], axis=1).astype(np.float64)
