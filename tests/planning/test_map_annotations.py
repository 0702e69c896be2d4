"""GeoJSON in map coordinates is told from that of QuPath, and read with what it needs."""

import json

import numpy as np
import pytest
import shapely

from segapp.datasets import GeoJson, GeoPackage, QuPath, Shapefile
from segapp.io import write_image
from segapp.planning.annotations import name_shapes
from segapp.planning.layout import find_layout
from segapp.planning.map_annotations import choose_map_settings
from tests.datasets.annotations.georeferenced import collect, make_box, make_feature, write_geotiff
from tests.io.vectors.samples import write_vectors

DEGREES = {"corner": (15.0, 45.0), "side": 0.001}
ON_MAP = make_feature(make_box(0, 0, 4, 4))
IN_PIXELS = make_feature([[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]])


@pytest.mark.parametrize(
    ("content", "where", "expected"),
    [
        (collect(ON_MAP), {}, GeoJson),
        (collect(ON_MAP, crs=None), {}, GeoJson),
        (collect(make_feature(make_box(0, 0, 4, 4, **DEGREES)), crs=None), {"crs": 4326, **DEGREES}, GeoJson),
        (collect(IN_PIXELS, crs=None), {}, QuPath),
        (collect(IN_PIXELS, crs=None), None, QuPath),
        (collect(ON_MAP, crs=None), None, GeoJson),
        (collect(ON_MAP), None, GeoJson),
    ],
    ids=["crs", "far", "degrees", "pixels", "no place", "far, no place", "crs, no place"],
)
def test_map_coordinates_are_recognised(tmp_path, content, where, expected):
    if where is None:
        (tmp_path / "images").mkdir()
        write_image(tmp_path / "images/a.tif", np.zeros((6, 8), np.uint8))
    else:
        write_geotiff(tmp_path / "images/a.tif", **where)
    (tmp_path / "a.geojson").write_text(json.dumps(content))
    assert find_layout(str(tmp_path / "images"), str(tmp_path / "a.geojson")).encoding is expected


def test_the_class_is_in_the_property_that_the_user_or_custom_names(tmp_path):
    path = tmp_path / "a.geojson"
    boxes = [make_feature(make_box(i, 0, i + 1, 1), crop=crop, owner=f"o{i}") for i, crop in enumerate("mwmw")]
    path.write_text(json.dumps(collect(*boxes)))
    assert choose_map_settings([path], [], []) == {"class_field": "crop"}
    assert choose_map_settings([path], [], ["background", "o1"]) == {"class_field": "owner"}
    meaning = name_shapes([path], GeoJson, [], {"class_field": "crop"})
    assert meaning.classes == ("background", "m", "w") and meaning.mask["init_args"] == {"class_field": "crop"}
    assert "'crop'" in meaning.reason
    for box in boxes:
        box["properties"] |= {"Class": 7}
    path.write_text(json.dumps(collect(*boxes)))
    assert choose_map_settings([path], [], []) == {"class_field": "Class"}


def test_a_name_that_half_of_the_features_have_is_no_class(tmp_path):
    path = tmp_path / "a.geojson"
    boxes = [make_feature(make_box(i, 0, i + 1, 1), name="Tower" * (i % 2), building="yes", use="x") for i in range(6)]
    path.write_text(json.dumps(collect(*boxes)))
    assert choose_map_settings([path], [], []) == {}
    for box in boxes:
        box["properties"] |= {"name": "house"}
    path.write_text(json.dumps(collect(*boxes)))
    assert choose_map_settings([path], [], []) == {"class_field": "name"}


def test_metres_in_a_file_without_a_system_are_those_of_the_images(tmp_path):
    write_geotiff(tmp_path / "a.tif")
    (tmp_path / "a.geojson").write_text(json.dumps(collect(ON_MAP, crs=None)))
    settings = choose_map_settings([tmp_path / "a.geojson"], [tmp_path / "a.tif"], [])
    assert settings == {"crs": "EPSG:32633"}
    meaning = name_shapes([tmp_path / "a.geojson"], GeoJson, [], settings)
    assert meaning.classes == ("background", "object")
    assert meaning.mask["init_args"] == {"crs": "EPSG:32633", "labels": {"": "object"}}


@pytest.mark.parametrize(("suffix", "kind"), [(".gpkg", GeoPackage), (".shp", Shapefile)])
def test_other_files_are_known_by_their_suffix_and_have_a_class_field(tmp_path, suffix, kind):
    write_geotiff(tmp_path / "images/a.tif")
    boxes = [shapely.Polygon(make_box(i, 0, i + 1, 1)) for i in range(4)]
    fields = {"crop": list("mwmw"), "owner": list("abcd"), "code": [1, 2, 3, 4]}
    path = write_vectors(tmp_path / f"fields{suffix}", boxes, fields)
    assert find_layout(str(tmp_path / "images"), str(path)).encoding is kind
    assert choose_map_settings([path], [], [], kind) == {"class_field": "crop"}


@pytest.mark.parametrize(("corner", "crs"), [((500_000.0, 5_000_000.0), "EPSG:32633"), ((15.0, 45.0), "EPSG:4326")])
def test_a_shapefile_without_its_system_has_that_of_the_images_or_degrees(tmp_path, corner, crs):
    write_geotiff(tmp_path / "a.tif")
    path = write_vectors(tmp_path / "fields.shp", [shapely.box(*corner, corner[0] + 20, corner[1] + 20)])
    path.with_suffix(".prj").unlink()
    settings = choose_map_settings([path], [tmp_path / "a.tif"], [], Shapefile)
    assert settings == {"class_field": "kind", "crs": crs}
    assert crs in name_shapes([path], Shapefile, [], settings).reason
