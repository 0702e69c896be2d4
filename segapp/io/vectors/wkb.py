"""Polygons as well-known binary (OGC 06-103r4, 8.2), the form in which GDAL hands over geometries."""

import struct
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from segapp.errors import SegappError

Rings = tuple[np.ndarray, ...]
"""The outer ring of a polygon and its holes, (N, 2) float64 x, y each."""

POLYGON = 3
COLLECTIONS = (4, 5, 6, 7)
"""Of points, lines, polygons and any geometries."""
NO_AREAS = {1: "points", 2: "lines", 15: "surfaces", 16: "surfaces", 17: "surfaces"}
"""Numbers of geometries that are not painted. A surface stands in space, as the wall of a building."""
MAX_DEPTH = 16
"""Collections inside each other."""


class WkbError(SegappError):
    """A geometry is damaged or of a kind that is not known."""


@dataclass
class Areas:
    """The polygons of a geometry, and what else it holds, as points → how many."""

    polygons: list[Rings] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)


def unpack_areas(wkb: bytes) -> Areas:
    """Return the polygons of a two-dimensional geometry, in order; raise WkbError for a damaged one."""
    areas = Areas()
    try:
        end = _unpack(wkb, 0, areas, 0)
    except (struct.error, ValueError) as error:
        raise WkbError("a geometry is cut off") from error
    if end != len(wkb):
        raise WkbError("a geometry is longer than its points")
    return areas


def pack_polygon(rings: Sequence[np.ndarray]) -> bytes:
    """Return a polygon of closed rings (N, 2), the outer one first."""
    parts = [struct.pack("<BII", 1, POLYGON, len(rings))]
    for ring in rings:
        parts += [struct.pack("<I", len(ring)), np.ascontiguousarray(ring, "<f8").tobytes()]
    return b"".join(parts)


def _unpack(wkb: bytes, start: int, areas: Areas, depth: int) -> int:
    """Add the polygons of the geometry at an offset; return the offset behind it."""
    order = "<" if wkb[start : start + 1] == b"\x01" else ">"
    (kind,) = struct.unpack_from(f"{order}I", wkb, start + 1)
    start += 5
    if kind == POLYGON:
        return _unpack_polygon(wkb, start, order, areas)
    if kind in COLLECTIONS:
        if depth >= MAX_DEPTH:
            raise WkbError(f"more than {MAX_DEPTH} collections are inside each other")
        (count,) = struct.unpack_from(f"{order}I", wkb, start)
        start += 4
        for _ in range(count):
            start = _unpack(wkb, start, areas, depth + 1)
        return start
    if kind in NO_AREAS:
        areas.skipped[NO_AREAS[kind]] += 1
        return _pass_over(wkb, start, order, kind)
    raise WkbError(f"a geometry is of the unknown kind {kind}")


def _unpack_polygon(wkb: bytes, start: int, order: str, areas: Areas) -> int:
    (count,) = struct.unpack_from(f"{order}I", wkb, start)
    start += 4
    rings = []
    for _ in range(count):
        (points,) = struct.unpack_from(f"{order}I", wkb, start)
        ring = np.frombuffer(wkb, f"{order}f8", 2 * points, start + 4)
        rings.append(ring.astype(np.float64).reshape(-1, 2))
        start += 4 + 16 * points
    if rings and len(rings[0]):
        areas.polygons.append((rings[0], *(ring for ring in rings[1:] if len(ring))))
    return start


def _pass_over(wkb: bytes, start: int, order: str, kind: int) -> int:
    """Return the offset behind a geometry that is no area."""
    if kind == 1:
        return start + 16
    (count,) = struct.unpack_from(f"{order}I", wkb, start)
    if kind == 2:
        return start + 4 + 16 * count
    inner = Areas()
    if kind == 17:  # a triangle is a polygon
        return _unpack_polygon(wkb, start, order, inner)
    start += 4
    for _ in range(count):
        _, part = struct.unpack_from(f"{order}BI", wkb, start)
        if part not in (POLYGON, 17):
            raise WkbError(f"a surface has a part of the unknown kind {part}")
        start = _unpack_polygon(wkb, start + 5, order, inner)
    return start
