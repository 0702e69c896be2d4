"""The areas of layers: multi-polygons, holes, heights, and what is no area."""

from pathlib import Path

import numpy as np
import pytest
import shapely

from segapp.datasets.annotations import vector_areas
from segapp.datasets.annotations.vector_areas import read_areas
from segapp.errors import MisuseError
from segapp.io.vectors import open_geopackage
from tests.io.vectors.samples import BOX, write_vectors

HOLED = shapely.Polygon([(0, 0), (9, 0), (9, 9), (0, 9)], [[(1, 1), (2, 1), (2, 2)]])


def read(path: Path, *shapes: object) -> vector_areas.MapFile:
    write_vectors(path, shapes, {"kind": [f"k{i}" for i in range(len(shapes))]}, kind="Unknown", layer="x")
    return read_areas(open_geopackage(path, "x"), lambda properties: properties["kind"], None)


def test_areas_are_kept_and_the_rest_is_counted(tmp_path: Path) -> None:
    line = shapely.LineString([(0, 0), (1, 1)])
    shapes = [shapely.MultiPolygon([BOX, HOLED]), None, shapely.Polygon(), shapely.Point(1, 1), line]
    found = read(tmp_path / "a.gpkg", *shapes, shapely.force_3d(HOLED, 3.0), shapely.GeometryCollection([line, BOX]))
    assert [shape.label for shape in found.shapes] == ["k0", "k5", "k6"]
    assert [len(part) for part in found.shapes[0].parts] == [1, 2]
    assert [ring.shape for ring in found.shapes[1].parts[0]] == [(5, 2), (4, 2)]
    assert found.skipped == {"features without a geometry": 2, "points": 1, "lines": 2}
    assert (found.crs, found.fields) == ("EPSG:32633", ["kind"])


@pytest.mark.parametrize("worst", [np.inf, 1e12])
def test_coordinates_that_are_no_places_are_refused(tmp_path: Path, worst: float) -> None:
    with pytest.raises(MisuseError, match=r"a\.gpkg: feature 2: a coordinate is (inf|1e\+12)"):
        read(tmp_path / "a.gpkg", BOX, shapely.Polygon([(0, 0), (worst, 0), (1, 1)]))


def test_more_points_than_are_read_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_areas, "MAX_POINTS", 9)
    with pytest.raises(MisuseError, match=r"a\.gpkg: has more than 9 points"):
        read(tmp_path / "a.gpkg", BOX, BOX)


def test_a_damaged_geometry_is_named_by_its_feature(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unpack(wkb: bytes) -> None:
        raise vector_areas.WkbError("cut off")

    monkeypatch.setattr(vector_areas, "unpack_areas", unpack)
    with pytest.raises(MisuseError, match=r"a\.gpkg: feature 1: cut off"):
        read(tmp_path / "a.gpkg", BOX)
