"""Areas of GeoJSON files, by hand."""

import json
from pathlib import Path
from typing import Any

import pytest

from segapp.datasets.annotations.geojson_file import MAX_DEPTH, GeoJsonFile
from segapp.errors import MisuseError

RING = [[0, 0], [4, 0], [4, 4], [0, 0]]
HOLE = [[1, 1, 7.5], [2, 1, 7.5], [2, 2, 7.5], [1, 1, 7.5]]
POLYGON = {"type": "Polygon", "coordinates": [RING, HOLE]}


def read(folder: Path, content: Any) -> GeoJsonFile:
    path = folder / "a.geojson"
    path.write_text(json.dumps(content))
    return GeoJsonFile(path, lambda feature: feature.fields("properties").text("name"))


def test_areas_keep_their_order_holes_and_labels(tmp_path: Path) -> None:
    both = {"type": "MultiPolygon", "coordinates": [[RING], [RING]]}
    within = {"type": "GeometryCollection", "geometries": [both, {"type": "Point", "coordinates": [0, 0]}]}
    features = [
        {"type": "Feature", "properties": {"name": name}, "geometry": geometry}
        for name, geometry in (("a", POLYGON), ("b", within))
    ]
    found = read(tmp_path, {"type": "FeatureCollection", "features": features, "crs": "EPSG:4326"})
    assert [(shape.label, len(shape.parts)) for shape in found.shapes] == [("a", 1), ("b", 2)]
    ring, hole = found.shapes[0].parts[0]
    assert ring.tolist() == RING and hole.tolist() == [point[:2] for point in HOLE]
    assert found.skipped == {"points": 1} and found.crs == "EPSG:4326"


@pytest.mark.parametrize("content", [POLYGON, [POLYGON]])
def test_bare_geometries_are_read(tmp_path: Path, content: Any) -> None:
    found = read(tmp_path, content)
    assert len(found.shapes) == 1 and found.crs is None


def test_features_without_a_geometry_are_counted(tmp_path: Path) -> None:
    empty = [None, {"type": "Polygon", "coordinates": []}, {"type": "MultiPolygon", "coordinates": []}, POLYGON]
    empty.append({"type": "MultiPolygon", "coordinates": [[], [RING]]})
    found = read(tmp_path, [{"type": "Feature", "properties": {"name": "a"}, "geometry": each} for each in empty])
    assert [len(shape.parts) for shape in found.shapes] == [1, 1]
    assert found.skipped == {"features without a geometry": 3}


def test_collections_end(tmp_path: Path) -> None:
    content: dict[str, Any] = POLYGON
    for _ in range(MAX_DEPTH + 1):
        content = {"type": "GeometryCollection", "geometries": [content]}
    with pytest.raises(MisuseError, match=str(MAX_DEPTH)):
        read(tmp_path, content)


@pytest.mark.parametrize(
    "content",
    [
        {"type": "Sphere"},
        {"type": "Polygon"},
        {"type": "Polygon", "coordinates": [7]},
        {"type": "Polygon", "coordinates": [[]]},
        {"type": "Feature", "properties": {"name": "a"}},
    ],
)
def test_what_is_no_area_is_refused_with_its_file(tmp_path: Path, content: Any) -> None:
    with pytest.raises(MisuseError, match=r"a\.geojson"):
        read(tmp_path, content)
