"""Polygons of the regions, as GeoPackage: opened again by GDAL and read as the same mask."""

import sys
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely

from segapp.datasets import GeoPackage
from segapp.errors import MisuseError, SegappError
from segapp.prediction.writers.geopackage import GeoPackageWriter
from segapp.prediction.writers.registry import find_writers
from segapp.prediction.writers.writer import ImageInfo
from segapp.spec import Spec
from tests.datasets.annotations.georeferenced import EAST, NORTH, SIDE, write_geotiff
from tests.datasets.annotations.samples import CLASSES, read_masks
from tests.inference.checkpoints import make_spec

SPEC = Spec(classes=CLASSES, background=0, palette=((0, 0, 0), (9, 0, 0), (0, 9, 0)), channels=1)
META = {"affine": (EAST, SIDE, 0.0, NORTH, 0.0, -SIDE), "crs": "EPSG:32633"}


def write(path, mask, spec=SPEC, **meta):
    GeoPackageWriter(path, ImageInfo("a", mask.shape, spec, meta)).finish(mask)
    return path


def test_polygons_have_the_class_and_lie_in_the_image_s_system(tmp_path):
    assert GeoPackageWriter.choose_suffix(Path("a.tif")) == ".gpkg"
    mask = np.zeros((6, 8), np.uint8)
    mask[1:5, 2:6], mask[2:4, 3:5], mask[5, 7] = 2, 0, 1
    path = write(tmp_path / "a.gpkg", mask, **META)
    assert pyogrio.list_layers(path).tolist() == [["regions", "Polygon"]]
    meta, _, polygons, columns = pyogrio.raw.read(path)
    assert meta["crs"] == "EPSG:32633"
    found = {name: column.tolist() for name, column in zip(meta["fields"], columns, strict=True)}
    assert found == {"class": ["cat", "dog"], "index": [1, 2], "pixels": [1, 12]}
    cat, dog = shapely.from_wkb(polygons)
    assert cat.equals(shapely.box(EAST + 70, NORTH - 60, EAST + 80, NORTH - 50))
    box = shapely.box(EAST + 20, NORTH - 50, EAST + 60, NORTH - 10)
    assert dog.equals(box.difference(shapely.box(EAST + 30, NORTH - 40, EAST + 50, NORTH - 20)))


def test_polygons_are_read_back_as_the_mask(tmp_path):
    mask = np.random.default_rng(0).integers(0, 3, (6, 8), dtype=np.uint8)
    write_geotiff(tmp_path / "images/a.tif")
    write(tmp_path / "a.gpkg", mask, **META)
    assert np.array_equal(read_masks(tmp_path, GeoPackage(class_field="class"), "a.gpkg")["a"], mask)


def test_an_image_without_a_georeference_has_polygons_in_pixels(tmp_path):
    mask = np.zeros((4, 5), np.uint8)
    mask[1:3, 2:4] = 1
    path = write(tmp_path / "a.gpkg", mask, make_spec())
    meta, _, polygons, _ = pyogrio.raw.read(path)
    assert shapely.from_wkb(polygons)[0].equals(shapely.box(2, 1, 4, 3)) and meta["crs"] is None
    path = write(tmp_path / "slide.gpkg", mask, make_spec(), downsample=(2.0, 4.0))
    assert shapely.from_wkb(pyogrio.raw.read(path)[2])[0].equals(shapely.box(8, 2, 16, 6))


def test_no_regions_are_a_layer_without_features(tmp_path):
    meta, _, polygons, columns = pyogrio.raw.read(write(tmp_path / "a.gpkg", np.zeros((4, 5), np.uint8), **META))
    assert len(polygons) == 0 and meta["fields"].tolist() == ["class", "index", "pixels"]
    assert (meta["crs"], [column.dtype.kind for column in columns]) == ("EPSG:32633", ["O", "i", "i"])


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "a.gpkg").mkdir()
    with pytest.raises(SegappError, match=r"a\.gpkg"):
        write(tmp_path / "a.gpkg", np.zeros((4, 5), np.uint8))
    assert [path.name for path in tmp_path.iterdir()] == ["a.gpkg"]


def test_a_missing_library_is_named_before_any_work(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyogrio", None)
    with pytest.raises(MisuseError, match=r"--save geopackage: .*pip install 'segapp\[geo\]'"):
        find_writers(["mask", "geopackage"])
