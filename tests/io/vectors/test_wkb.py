"""Polygons as well-known binary, compared with shapely."""

import struct

import numpy as np
import pytest
import shapely

from segapp.io.vectors.wkb import WkbError, pack_polygon, unpack_areas

HOLED = shapely.Polygon([(0, 0), (9, 0), (9, 9), (0, 9)], [[(1, 1), (2, 1), (2, 2)], [(4, 4), (5, 4), (5, 5)]])


@pytest.mark.parametrize("byte_order", [0, 1])
@pytest.mark.parametrize(
    ("shape", "polygons"),
    [
        (HOLED, [HOLED]),
        (shapely.MultiPolygon([shapely.box(20, 0, 21, 1), HOLED]), [shapely.box(20, 0, 21, 1), HOLED]),
        (shapely.GeometryCollection([shapely.Point(0, 0), shapely.MultiPolygon([HOLED])]), [HOLED]),
        (shapely.Polygon(), []),
        (shapely.MultiPolygon(), []),
    ],
)
def test_polygons_are_those_of_shapely(shape, polygons, byte_order):
    found = unpack_areas(shapely.to_wkb(shape, byte_order=byte_order)).polygons
    assert [shapely.Polygon(outer, holes) for outer, *holes in found] == polygons
    assert all(ring.dtype == np.float64 for rings in found for ring in rings)


def test_what_is_no_area_is_counted():
    line = shapely.LineString([(0, 0), (1, 1)])
    parts = [shapely.Point(1, 2), shapely.MultiPoint([(0, 0), (1, 1)]), line, shapely.MultiLineString([line]), HOLED]
    areas = unpack_areas(shapely.to_wkb(shapely.GeometryCollection(parts)))
    assert areas.skipped == {"points": 3, "lines": 2} and len(areas.polygons) == 1


def test_surfaces_are_passed_over():
    triangle = struct.pack("<BIII", 1, 17, 1, 4) + bytes(64)
    surface = struct.pack("<BII", 1, 16, 2) + triangle * 2
    areas = unpack_areas(struct.pack("<BII", 1, 7, 3) + surface + triangle + shapely.to_wkb(HOLED))
    assert areas.skipped == {"surfaces": 2} and len(areas.polygons) == 1


def test_a_packed_polygon_is_read_by_shapely_and_here():
    rings = [np.array(ring.coords) for ring in (HOLED.exterior, *HOLED.interiors)]
    assert shapely.from_wkb(pack_polygon(rings)) == HOLED
    (found,) = unpack_areas(pack_polygon(rings)).polygons
    assert all(np.array_equal(own, ring) for own, ring in zip(found, rings, strict=True))


@pytest.mark.parametrize(
    ("wkb", "found"),
    [
        (b"", "cut off"),
        (shapely.to_wkb(HOLED)[:-1], "cut off"),
        (shapely.to_wkb(HOLED) + b"\0", "longer"),
        (struct.pack("<BII", 1, 3, 2**32 - 1), "cut off"),
        (struct.pack("<BIII", 1, 3, 1, 2**32 - 1), "cut off"),
        (struct.pack("<BII", 1, 7, 1) * 40, "inside each other"),
        (struct.pack("<BII", 1, 999, 1), "kind 999"),
        (struct.pack("<BIIBI", 1, 16, 1, 1, 2), "kind 2"),
    ],
)
def test_damaged_geometries_are_refused(wkb, found):
    with pytest.raises(WkbError, match=found):
        unpack_areas(wkb)
