"""Pixels are covered whose centre is inside."""

import numpy as np
import pytest
import shapely

from segapp.datasets.annotations.map_polygons import MapPolygons, cover_centres
from segapp.datasets.annotations.shapes import Window
from tests.datasets.annotations.samples import draw


def test_a_triangle_covers_the_centres_inside() -> None:
    ring = np.array([(0, 0), (4, 0), (0, 4), (0, 0)], float)
    assert cover_centres(ring + 0.1, Window(0, 0, 4, 5)).tolist() == draw("11110 11100 11000 10000")


@pytest.mark.parametrize("seed", range(3))
def test_every_window_agrees_with_shapely(seed: int) -> None:
    rng = np.random.default_rng(seed)
    angles, radii = np.sort(rng.uniform(0, 2 * np.pi, 40)), rng.uniform(3, 40, 40)
    outer = np.stack([30 + radii * np.cos(angles), 25 + radii * np.sin(angles)], axis=1)
    hole = np.array([(27, 22), (33, 23), (31, 29)], float) + rng.uniform(0, 1, 2)
    polygon = shapely.difference(shapely.Polygon(outer), shapely.Polygon(hole))
    window = Window(7, 11, 30, 35)
    rows, columns = np.mgrid[7:37, 11:46] + 0.5
    expected = shapely.contains_xy(polygon, columns, rows)
    np.testing.assert_array_equal(MapPolygons("a", ((outer, hole),)).cover(window), expected)
