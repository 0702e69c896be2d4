"""Polygons that are painted as geographic programs paint them."""

from dataclasses import dataclass

import numpy as np

from segapp.datasets.annotations.shapes import Polygons, Window


@dataclass(frozen=True, slots=True)
class MapPolygons(Polygons):
    """Polygons that cover exactly the pixels whose centre lies inside, as GDAL's without `all_touched`."""

    def _cover_ring(self, ring: np.ndarray, window: Window) -> np.ndarray:
        return cover_centres(ring, window)


def cover_centres(ring: np.ndarray, window: Window) -> np.ndarray:
    """Return (h, w) bool: the pixels whose centre an odd number of the ring's edges lies to the left of.

    Args:
        ring: (N, 2) x, y in pixels of the image; 0 is the upper or left border of the first pixel.
        window: Pixels of the image.
    """
    x, y = (ring - (window.x + 0.5, window.y + 0.5)).T  # centres lie at whole numbers
    x_next, y_next = np.roll(x, -1), np.roll(y, -1)
    down = y <= y_next  # an edge that two rings share is crossed at the same column, whichever way each of them runs
    x, x_next = np.where(down, x, x_next), np.where(down, x_next, x)
    y, y_next = np.where(down, y, y_next), np.where(down, y_next, y)
    first = np.clip(np.ceil(y), 0, window.h).astype(int)
    counts = np.clip(np.ceil(y_next), 0, window.h).astype(int) - first
    edges = np.repeat(np.arange(len(ring)), counts)
    rows = np.arange(len(edges)) + np.repeat(first - (np.cumsum(counts) - counts), counts)
    x, y, x_next, y_next = (values[edges] for values in (x, y, x_next, y_next))
    crossings = x + (rows - y) / (y_next - y) * (x_next - x)
    columns = np.clip(np.ceil(crossings), 0, window.w).astype(int)
    changes = np.zeros((window.h, window.w + 1), bool)
    np.logical_xor.at(changes, (rows, columns), True)
    return np.logical_xor.accumulate(changes, axis=1)[:, : window.w]
