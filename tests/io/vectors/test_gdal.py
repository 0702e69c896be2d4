"""Layers are read with their properties, and written so that they are read again."""

import sys

import numpy as np
import pytest
import shapely

from segapp.errors import MisuseError, SegappError
from segapp.io.vectors import gdal
from segapp.io.vectors.gdal import Layer, write_polygons
from segapp.io.vectors.wkb import pack_polygon
from tests.io.vectors.samples import BOX, write_vectors


@pytest.mark.parametrize("chunk", [1, 2, 100])
def test_features_are_read_in_order_with_some_or_all_properties(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(gdal, "CHUNK", chunk)
    fields = {"kind": ["a", "b", "c"], "code": [1, 2, 3], "part": [0.5, np.nan, 2.0]}
    path = write_vectors(tmp_path / "a.gpkg", [BOX, None, BOX], fields)
    layer = Layer(path, "GPKG")
    assert (layer.crs, layer.fields, layer.count) == ("EPSG:32633", ["kind", "code", "part"], 3)
    features = list(layer.read(None))
    assert [feature.properties for feature in features] == [
        {"kind": "a", "code": 1, "part": 0.5},
        {"kind": "b", "code": 2, "part": None},
        {"kind": "c", "code": 3, "part": 2.0},
    ]
    assert [feature.wkb is None for feature in features] == [False, True, False]
    assert [feature.properties for feature in layer.read(["kind"])] == [{"kind": "a"}, {"kind": "b"}, {"kind": "c"}]
    assert [feature.properties for feature in layer.read([])] == [{}, {}, {}]


def test_heights_are_left_out(tmp_path):
    path = write_vectors(tmp_path / "a.gpkg", [shapely.force_3d(BOX, 7.0)], kind="Polygon Z")
    (feature,) = Layer(path, "GPKG").read([])
    assert shapely.from_wkb(feature.wkb) == BOX


def test_written_polygons_are_read_again(tmp_path):
    rings = [np.array(BOX.exterior.coords)]
    columns = {"class": np.array(["cat", "cat"], object), "index": np.array([1, 1])}
    write_polygons(tmp_path / "a.gpkg", "GPKG", "regions", [pack_polygon(rings)] * 2, columns, "EPSG:4326")
    layer = Layer(tmp_path / "a.gpkg", "GPKG", "regions")
    assert layer.crs == "EPSG:4326"
    assert [shapely.from_wkb(wkb) == BOX and properties for wkb, properties in layer.read(None)] == [
        {"class": "cat", "index": 1}
    ] * 2


def test_no_polygons_and_no_system_are_written_too(tmp_path):
    write_polygons(tmp_path / "a.gpkg", "GPKG", "regions", [], {"class": np.array([], object)}, None)
    layer = Layer(tmp_path / "a.gpkg", "GPKG")
    assert (layer.crs, layer.count, layer.fields, list(layer.read(None))) == (None, 0, ["class"], [])


def test_an_unknown_system_leaves_no_file(tmp_path):
    with pytest.raises(SegappError, match=r"a\.gpkg: GDAL cannot write it .*99999"):
        write_polygons(tmp_path / "a.gpkg", "GPKG", "regions", [], {"class": np.array([], object)}, "EPSG:99999")
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_driver_is_refused(tmp_path):
    path = write_vectors(tmp_path / "a.gpkg")
    with pytest.raises(MisuseError, match=r"a\.gpkg: is a file of GPKG, not of ESRI Shapefile"):
        Layer(path, "ESRI Shapefile")


def test_what_gdal_cannot_read_is_named(tmp_path):
    (tmp_path / "a.gpkg").write_bytes(b"nothing")
    with pytest.raises(MisuseError, match=r"a\.gpkg: damaged, GDAL cannot read it"):
        Layer(tmp_path / "a.gpkg", "GPKG")


def test_a_missing_library_is_named_with_its_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyogrio", None)
    with pytest.raises(MisuseError, match=r"a\.gpkg: .*pyogrio.*pip install 'segapp\[geo\]'"):
        Layer(tmp_path / "a.gpkg", "GPKG")
