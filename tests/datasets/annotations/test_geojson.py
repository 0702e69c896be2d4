"""GeoJSON in map coordinates, on the grid of georeferenced images."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segapp.datasets import GeoJson
from segapp.errors import MisuseError
from segapp.io import Image
from segapp.prediction.polygons import make_contours
from segapp.spec import Spec
from tests.datasets.annotations.georeferenced import collect, make_box, make_feature, write_geotiff
from tests.datasets.annotations.samples import CLASSES, draw, list_problems, read_masks, write_image, write_json


def paint(root: Path, content: Any, classes: tuple[str, ...] = CLASSES, **settings: Any) -> np.ndarray:
    write_json(root / "labels/a.geojson", content)
    return read_masks(root, GeoJson(**{"class_field": "kind", **settings}), "labels", classes)["a"]


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    write_geotiff(tmp_path / "images/a.tif")
    return tmp_path


def test_areas_lie_on_the_grid_in_the_order_of_the_file(scene: Path) -> None:
    holed = make_feature(make_box(0, 0, 5, 5), make_box(1, 1, 4, 4), kind="cat")
    above = make_feature(make_box(4, 0, 7, 2), kind="dog")
    assert paint(scene, collect(holed, above)).tolist() == draw("11112220 10002220 10001000 10001000 11111000 00000000")
    assert paint(scene, collect(above, holed))[0].tolist() == [1, 1, 1, 1, 1, 2, 2, 0]


def test_a_pixel_is_covered_whose_centre_is_inside(scene: Path) -> None:
    feature = make_feature(make_box(0.6, 0.4, 2.6, 1.4), kind="cat")
    assert paint(scene, collect(feature)).tolist() == draw("01100000" + " 00000000" * 5)


@pytest.mark.parametrize(
    ("properties", "settings"),
    [
        ({"code": 7}, {"class_field": "code", "labels": {"7": "dog"}}),
        ({"code": 7.0}, {"class_field": "code", "labels": {"7": "dog"}}),
        ({"code": True}, {"class_field": "code", "labels": {"true": "dog"}}),
        ({}, {"class_field": None, "labels": {"": "dog"}}),
    ],
)
def test_the_class_is_a_property(scene: Path, properties: dict[str, Any], settings: dict[str, Any]) -> None:
    assert (paint(scene, collect(make_feature(make_box(0, 0, 8, 6), **properties)), **settings) == 2).all()


def test_one_file_is_of_every_image_that_lies_there(scene: Path) -> None:
    write_geotiff(scene / "images/b.tif", corner=(500_080.0, 5_000_000.0))
    write_json(scene / "all.geojson", collect(make_feature(make_box(6, 0, 10, 3), kind="dog")))
    masks = read_masks(scene, GeoJson(class_field="kind"), "all.geojson")
    assert masks["a"][:3, 6:].min() == 2 and masks["a"].sum() == 12
    assert masks["b"][:3, :2].min() == 2 and masks["b"].sum() == 12


def test_what_is_no_area_is_counted_once_for_all_images(scene: Path) -> None:
    write_geotiff(scene / "images/b.tif", corner=(500_080.0, 5_000_000.0))
    empty = {"type": "Feature", "geometry": None, "properties": {"kind": "cat"}}
    bird = make_feature(make_box(6, 0, 10, 3), kind="bird")
    write_json(scene / "all.geojson", collect(empty, empty, bird))
    messages = [message for *_, message in list_problems(scene, GeoJson(class_field="kind"), "all.geojson")]
    assert any("all.geojson: 2 features without a geometry are no areas" in message for message in messages)
    assert any("The annotations hold 'bird' (1)" in message for message in messages)


def test_a_warning_is_logged_once_for_all_who_make_the_data_set(scene: Path, caplog: pytest.LogCaptureFixture) -> None:
    empty = {"type": "Feature", "geometry": None, "properties": {"kind": "cat"}}
    for _ in range(2):
        paint(scene, collect(empty, make_feature(make_box(0, 0, 8, 6), kind="cat")))
    assert [record.message.count("1 features without") for record in caplog.records] == [1]


def test_what_was_not_measured_is_ignored(tmp_path: Path) -> None:
    pixels = np.ones((6, 8), np.uint8)
    pixels[:, 3] = 0
    write_geotiff(tmp_path / "images/a.tif", pixels=pixels, nodata=0)
    mask = paint(tmp_path, collect(make_feature(make_box(0, 0, 8, 2), kind="cat")))
    assert (mask[:, 3] == 255).all()
    assert np.delete(mask, 3, axis=1).tolist() == draw("1111111 1111111 0000000 0000000 0000000 0000000")


def test_coordinates_without_a_system_are_longitude_and_latitude(tmp_path: Path) -> None:
    where = {"corner": (15.0, 45.0), "side": 1e-4}
    write_geotiff(tmp_path / "images/a.tif", crs=4326, **where)
    feature = make_feature(make_box(0, 0, 2, 6, **where), kind="dog")
    assert paint(tmp_path, collect(feature, crs=None)).sum() == 24
    assert paint(tmp_path, collect(feature, crs="urn:ogc:def:crs:OGC:1.3:CRS84")).sum() == 24


def test_mask_crs_is_that_of_files_that_name_none(scene: Path) -> None:
    feature = make_feature(make_box(0, 0, 2, 6), kind="dog")
    assert paint(scene, collect(feature, crs=None), crs="EPSG:32633").sum() == 24


def test_predicted_polygons_are_read_back(scene: Path) -> None:
    indices = np.array(draw("11100022 11100022 11011000 00011000 22000000 22200001"), np.uint8)
    spec = Spec(classes=CLASSES, background=0, palette=((0, 0, 0), (9, 0, 0), (0, 9, 0)), channels=1)
    meta = Image(scene / "images/a.tif").meta
    contours = make_contours(indices, spec, meta["affine"], meta["crs"])
    np.testing.assert_array_equal(paint(scene, contours, class_field="class"), indices)


@pytest.mark.parametrize(
    ("content", "settings", "found"),
    [
        (collect(make_feature(make_box(0, 0, 2, 2), code=1, name="x")), {}, r"'kind' .*code, name"),
        (collect(crs="GRS80 by hand"), {}, "'crs' .* EPSG:32633, found 'GRS80"),
        (collect(make_feature([[0, 0], [1e12, 0], [1, 1]], kind="cat")), {}, r"1e\+12"),
        (collect(make_feature([[0, 0], [float("nan"), 0], [1, 1]], kind="cat")), {}, "nan"),
    ],
)
def test_damaged_files_are_named(scene: Path, content: Any, settings: dict[str, Any], found: str) -> None:
    with pytest.raises(MisuseError, match=rf"a\.geojson.*{found}"):
        paint(scene, content, **settings)


def test_a_system_that_is_none_is_refused() -> None:
    with pytest.raises(MisuseError, match=r"mask\.crs .*'UTM'"):
        GeoJson(crs="UTM")


def test_a_file_beside_its_image_is_a_warning(scene: Path) -> None:
    write_json(scene / "labels/a.geojson", collect(make_feature(make_box(90, 0, 95, 3), kind="cat")))
    (problem,) = [
        message
        for kind, severity, message in list_problems(scene, GeoJson(class_field="kind"), "labels")
        if (kind, severity) == ("mask", "warning")
    ]
    assert "a.tif" in problem and "EPSG:32633" in problem and "latitude" in problem


def test_an_image_without_a_georeference_is_an_error(tmp_path: Path) -> None:
    write_image(tmp_path)
    with pytest.raises(MisuseError, match=r"a\.png: has no georeference.*QuPath"):
        paint(tmp_path, collect(make_feature(make_box(0, 0, 2, 2), kind="cat")))
