"""GeoPackages, painted like GeoJSON."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
import shapely

from segapp.datasets import GeoJson, GeoPackage, Shapefile
from segapp.datasets.annotations.map_shapes import MapShapes
from segapp.errors import MisuseError
from tests.datasets.annotations.georeferenced import collect, make_box, make_feature, place, write_geotiff
from tests.datasets.annotations.samples import list_problems, read_masks, write_json
from tests.io.vectors.samples import change, write_vectors

SUFFIXES: dict[type[MapShapes], str] = {GeoJson: ".geojson", GeoPackage: ".gpkg", Shapefile: ".shp"}


def make_shapes() -> list[dict[str, Any]]:
    """Return areas of all kinds, whose edges are anywhere in the pixels: holes, parts, overlaps, beyond the image."""
    rng = np.random.default_rng(0)
    features = []
    for number in range(40):
        corner, size = rng.uniform(-10, 60, 2), rng.uniform(2, 15)
        angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 12)))
        ring = corner + size * np.stack([np.cos(angles), np.sin(angles)], 1)
        rings = [place([*ring.tolist(), ring[0].tolist()])]
        if number % 3 == 0:
            rings.append(make_box(*(corner - 0.3 * size), *(corner + 0.2 * size)))
        feature = make_feature(*rings, kind="cat" if number % 2 else "dog")
        if number % 4 == 0:
            second = [make_box(*(corner + size), *(corner + 1.5 * size))]
            feature["geometry"] = {"type": "MultiPolygon", "coordinates": [rings, second]}
        features.append(feature)
    return features


def write(path: Path, features: Sequence[dict[str, Any]], crs: str = "EPSG:32633", **settings: Any) -> Path:
    """Write features of GeoJSON in any of the three formats."""
    if path.suffix == ".geojson":
        return write_json(path, collect(*features, crs=f"urn:ogc:def:crs:{crs.replace(':', '::')}"))
    shapes = [shapely.geometry.shape(feature["geometry"]) for feature in features]
    fields = {"kind": [feature["properties"]["kind"] for feature in features]}
    return write_vectors(path, shapes, fields, crs, "Unknown" if path.suffix == ".gpkg" else "Polygon", **settings)


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    write_geotiff(tmp_path / "images/a.tif", pixels=np.ones((50, 60), np.uint8))
    return tmp_path


@pytest.mark.parametrize("kind", [GeoPackage, Shapefile])
def test_masks_are_those_of_geojson(scene: Path, kind: type[MapShapes]) -> None:
    features = make_shapes()
    for each in (GeoJson, kind):
        write(scene / f"all{SUFFIXES[each]}", features)
    expected = read_masks(scene, GeoJson(class_field="kind"), "all.geojson")["a"]
    found = read_masks(scene, kind(class_field="kind"), f"all{SUFFIXES[kind]}")["a"]
    assert np.array_equal(found, expected) and np.bincount(expected.ravel()).min() > 300


@pytest.mark.parametrize("kind", [GeoPackage, Shapefile])
def test_another_system_is_converted_to_that_of_the_image(scene: Path, kind: type[MapShapes]) -> None:
    convert = pyproj.Transformer.from_crs("EPSG:32633", "EPSG:4326", always_xy=True).transform
    corners = [convert(x, y) for x, y in make_box(3, 4, 20, 10)]
    write(scene / f"all{SUFFIXES[kind]}", [make_feature(corners, kind="dog")], "EPSG:4326")
    mask = read_masks(scene, kind(class_field="kind"), f"all{SUFFIXES[kind]}")["a"]
    expected = np.zeros((50, 60), np.uint8)
    expected[4:10, 3:20] = 2
    assert np.array_equal(mask, expected)


def test_a_system_without_a_number_is_converted_too(scene: Path) -> None:
    """An equal-area projection around the scene, which has no entry in any register."""
    own = pyproj.CRS("+proj=laea +lat_0=45.1 +lon_0=15.0 +datum=WGS84 +units=m")
    convert = pyproj.Transformer.from_crs("EPSG:32633", own, always_xy=True).transform
    corners = [convert(x, y) for x, y in make_box(3, 4, 20, 10)]
    write(scene / "all.gpkg", [make_feature(corners, kind="dog")], own.to_wkt())
    assert read_masks(scene, GeoPackage(class_field="kind"), "all.gpkg")["a"][4:10, 3:20].min() == 2


def test_one_file_for_each_image(scene: Path) -> None:
    write(scene / "vectors/a.gpkg", [make_feature(make_box(0, 0, 60, 50), kind="dog")])
    assert read_masks(scene, GeoPackage({"dog": "cat"}, "kind"), "vectors/{name}.gpkg")["a"].min() == 1


def test_the_only_layer_of_areas_is_read(scene: Path) -> None:
    path = write(scene / "all.gpkg", [make_feature(make_box(0, 0, 60, 50), kind="dog")], layer="fields")
    write_vectors(path, [shapely.Point(0, 0)], kind="Point", layer="wells", append=True)
    assert read_masks(scene, GeoPackage(class_field="kind"), "all.gpkg")["a"].min() == 2
    problems = list_problems(scene, GeoPackage(class_field="kind", layer="wells"), "all.gpkg")
    assert any("1 points are no areas" in message for _, _, message in problems)


def test_the_user_says_which_of_several_layers(scene: Path) -> None:
    for name, kind in (("fields", "dog"), ("roads", "cat")):
        feature = make_feature(make_box(0, 0, 60, 50), kind=kind)
        path = write(scene / "all.gpkg", [feature], layer=name, append=(scene / "all.gpkg").exists())
    assert read_masks(scene, GeoPackage(class_field="kind", layer="roads"), "all.gpkg")["a"].min() == 1
    with pytest.raises(MisuseError, match=r"all\.gpkg: holds 2 layers, 'fields', 'roads'; set mask\.layer"):
        list(GeoPackage().parse(path))
    with pytest.raises(MisuseError, match=r"no layer 'road' \(mask\.layer\).*'roads'.*'fields', 'roads'"):
        list(GeoPackage(layer="road").parse(path))


def test_a_file_without_areas_is_refused_by_its_layers(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg", [make_feature(make_box(0, 0, 1, 1), kind="dog")], layer="x")
    change(path, "DELETE FROM gpkg_geometry_columns")
    with pytest.raises(MisuseError, match=r"a\.gpkg: holds no layer with a geometry"):
        list(GeoPackage().parse(path))


def test_an_empty_layer_is_background(scene: Path) -> None:
    write(scene / "all.gpkg", [], layer="x")
    assert not read_masks(scene, GeoPackage(), "all.gpkg")["a"].any()
