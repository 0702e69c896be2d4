"""Lengths on the grid of a GeoTIFF: which coordinate systems keep them, and how long their unit is."""

import math
from collections.abc import Mapping

MODEL, PROJECTED = 1024, 1
"""GeoTIFF's key for the kind of coordinate system, and the kind with coordinates in a plane (OGC 19-008r4)."""

PROJECTION, METHOD, LENGTH_UNIT = 3072, 3075, 3076
METRES = {9001: 1.0, 9002: 0.3048, 9003: 1200 / 3937}
"""EPSG's metre, foot and US survey foot."""

UTM = (*range(32601, 32661), *range(32701, 32761), *range(25828, 25839), *range(26901, 26924))
"""UTM zones of WGS 84, ETRS89 and NAD83: metres, also where the file leaves the unit out."""

MERCATOR, MERCATOR_METHOD = (3857, 3395, 3785, 900913), 7
"""Their metres are true at the equator only: at 60 degrees an area is four times too large."""

SQUARE = 1e-6
"""Cosine of the angle between rows and columns, below which they count as perpendicular."""


def is_true_to_scale(keys: Mapping[int, int]) -> bool:
    """Return whether a coordinate system is projected, and not Mercator's."""
    return keys.get(MODEL) == PROJECTED and keys.get(PROJECTION) not in MERCATOR and keys.get(METHOD) != MERCATOR_METHOD


def find_unit_length(keys: Mapping[int, int]) -> float | None:
    """Return the length of a projected system's unit in metres, or None where it is unknown."""
    return METRES.get(keys.get(LENGTH_UNIT, 9001 if keys.get(PROJECTION) in UTM else 0))


def measure_map_pixel(affine: tuple[float, ...], keys: Mapping[int, int]) -> tuple[float, float] | None:
    """Return height and width of a pixel in µm, or None where the grid has none that is true everywhere.

    Args:
        affine: In GDAL's order.
        keys: The file's GeoTIFF keys that are one number.
    """
    metres = find_unit_length(keys) if is_true_to_scale(keys) else None
    _, xx, xy, _, yx, yy = affine
    height, width = math.hypot(xy, yy), math.hypot(xx, yx)
    if metres is None or not height or not width or abs(xx * xy + yx * yy) > SQUARE * height * width:
        return None
    return 1e6 * metres * height, 1e6 * metres * width
