"""QuPath: GeoJSON in pixels, a file for each image."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segapp.datasets import QuPath
from segapp.errors import MisuseError
from tests.datasets.annotations.samples import draw, read_masks, write_image, write_json

RING = [[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]
HOLE = [[1, 1], [3, 1], [3, 3], [1, 3], [1, 1]]
NEXT = [[6, 0, 0], [8, 0, 0], [8, 2, 0], [6, 2, 0], [6, 0, 0]]


def feature(geometry: dict[str, Any], name: str | None = "cat") -> dict[str, Any]:
    properties = {"objectType": "annotation", "classification": {"name": name, "color": [1, 2, 3]}}
    return {"type": "Feature", "geometry": geometry, "properties": properties if name else {"objectType": "annotation"}}


def paint(root: Path, content: Any, **settings: Any) -> np.ndarray:
    write_image(root)
    write_json(root / "labels/a.geojson", content)
    return read_masks(root, QuPath(**settings), "labels")["a"]


HOLED = {"type": "Polygon", "coordinates": [RING, HOLE]}
SEVERAL = {"type": "MultiPolygon", "coordinates": [[RING, HOLE], [NEXT]]}
PICTURE = "11110000 10010000 10010000 11110000 00000000 00000000"


@pytest.mark.parametrize(
    "content",
    [feature(HOLED), [feature(HOLED)], {"type": "FeatureCollection", "features": [feature(HOLED)]}],
)
def test_a_hole_shows_what_is_below(tmp_path: Path, content: Any) -> None:
    assert paint(tmp_path, content).tolist() == draw(PICTURE)


def test_a_later_feature_keeps_what_is_in_its_hole(tmp_path: Path) -> None:
    below = feature({"type": "Polygon", "coordinates": [RING]}, "dog")
    assert paint(tmp_path, [below, feature(HOLED)])[1].tolist() == [1, 2, 2, 1, 0, 0, 0, 0]


@pytest.mark.parametrize("content", [SEVERAL, {"type": "GeometryCollection", "geometries": [SEVERAL]}])
def test_bare_geometries_have_no_name(tmp_path: Path, content: Any) -> None:
    assert paint(tmp_path, content, labels={"": "dog"})[0].tolist() == [2, 2, 2, 2, 0, 0, 2, 2]
    with pytest.raises(MisuseError, match=r"'' \(1\)"):
        paint(tmp_path, content)


def test_points_and_lines_are_counted_and_not_painted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    point = {"type": "Point", "coordinates": [1, 2]}
    line = {"type": "LineString", "coordinates": [[1, 2], [3, 4]]}
    assert not paint(tmp_path, [feature(point), feature(point, None), feature(line)]).any()
    assert "2 points, 1 lines" in caplog.text


def nest(depth: int) -> dict[str, Any]:
    return {"type": "GeometryCollection", "geometries": [nest(depth - 1)] if depth else []}


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ({"type": "Topology"}, "'Topology'"),
        ({"type": "Polygon"}, "'coordinates' should be a list"),
        ({"type": "Polygon", "coordinates": [RING[0]]}, "points"),
        ({"type": "Polygon", "coordinates": [3]}, "a ring"),
        ({"type": "MultiPolygon", "coordinates": [3]}, "list of rings"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1e9, 0], [1, 1]]]}, "1e"),
        ({"type": "Feature"}, "an object is expected"),
        ({"features": []}, "'type' should be text"),
        (nest(30), "inside each other"),
        (3, "an object is expected"),
        ({"type": "FeatureCollection", "crs": {"type": "name"}, "features": []}, "of a map.*GeoJson"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, content: Any, found: str) -> None:
    with pytest.raises(MisuseError, match=rf"a\.geojson.*{found}"):
        paint(tmp_path, content)


def test_one_file_for_several_images_is_refused(tmp_path: Path) -> None:
    write_image(tmp_path, "a.png")
    write_image(tmp_path, "b.png")
    write_json(tmp_path / "all.geojson", [])
    with pytest.raises(MisuseError, match="one file for each image"):
        read_masks(tmp_path, QuPath(), "all.geojson")
