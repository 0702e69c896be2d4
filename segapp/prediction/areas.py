"""Computes the areas of pixels, where a file gives the unit of measurement.

Dots per inch are the size of a print; cameras, scanners and editors write a number that was not
measured. Only the sizes that microscopes write (ImageJ's unit, OME's PhysicalSize) and georeferences are used.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from segapp.io.map_grid import MODEL, find_unit_length, is_true_to_scale

GEOGRAPHIC = 2
"""GeoTIFF's kind of a coordinate system in degrees (OGC 19-008r4)."""

SYSTEM, ANGLE_UNIT = 2048, 2054
DEGREES = (None, 9102)
ELLIPSOIDAL = (4326, 4258, 4269, 4979)
"""WGS 84, ETRS89, NAD83: latitudes on ellipsoids that differ by a tenth of a millimetre."""

SEMI_MAJOR, FLATTENING = 6378137.0, 1 / 298.257223563
"""Of WGS 84, in metres."""


@dataclass(frozen=True)
class PixelArea:
    """The area of a pixel: one number for the whole image, or one for each row."""

    rows: np.ndarray
    """(1,) or (H,) float64."""
    unit: str

    def sum_by_class(self, indices: np.ndarray, top: int, num_classes: int) -> np.ndarray:
        """Return the areas (K,) float64 of the classes in (h, w) uint8 indices, whose first row is `top`."""
        if len(self.rows) == 1:
            return np.bincount(indices.ravel(), minlength=num_classes) * self.rows[0]
        of_pixels = np.repeat(self.rows[top : top + indices.shape[0]], indices.shape[1])
        return np.bincount(indices.ravel(), weights=of_pixels, minlength=num_classes)


def find_pixel_area(meta: dict[str, Any], height: int) -> PixelArea | None:
    """Return the area of the pixels of an image from its `Image.meta`, or None where nothing was measured.

    µm² from a microscope's pixel size; m² from a projected coordinate system whose unit is known, else squared map
    units; m² on the WGS 84 ellipsoid, row by row, from degrees.
    """
    if "affine" in meta:
        return _find_map_area(meta["affine"], meta.get("geo_keys", {}), height)
    if "pixel_size" in meta:
        y, x = meta["pixel_size"]
        return PixelArea(np.array([y * x]), "µm²")
    return None


def _find_map_area(affine: tuple[float, ...], keys: dict[int, int], height: int) -> PixelArea | None:
    _, xx, xy, top, yx, yy = affine
    if is_true_to_scale(keys):
        metres = find_unit_length(keys)
        area = abs(xx * yy - xy * yx)
        return PixelArea(np.array([area * (metres or 1) ** 2]), "m²" if metres else "map unit²")
    if (
        keys.get(MODEL) == GEOGRAPHIC
        and keys.get(SYSTEM) in ELLIPSOIDAL
        and keys.get(ANGLE_UNIT) in DEGREES
        and xy == yx == 0
    ):
        edges = np.clip(top + yy * np.arange(height + 1), -90, 90)
        return PixelArea(np.abs(np.diff(_compute_area_to(np.radians(edges)))) * np.radians(abs(xx)), "m²")
    return None


def _compute_area_to(latitude: np.ndarray) -> np.ndarray:
    """Return the ellipsoid's area between the equator and latitudes in radians, in m² per radian of longitude.

    Snyder 1987, "Map Projections: A Working Manual", equation 3-12, with the ellipsoid's semi-major axis.
    """
    squared = FLATTENING * (2 - FLATTENING)
    e, sine = np.sqrt(squared), np.sin(latitude)
    q = (1 - squared) * (sine / (1 - squared * sine**2) + np.arctanh(e * sine) / e)
    return SEMI_MAJOR**2 * q / 2
