"""Polygons of the regions, as GeoJSON."""

import json
from pathlib import Path

import numpy as np

from segapp.datasets import QuPath
from segapp.prediction.writers.contours import ContourWriter
from segapp.prediction.writers.writer import ImageInfo
from tests.inference.checkpoints import make_spec


def write(path, **meta):
    mask = np.zeros((4, 5), np.uint8)
    mask[1:3, 2:4] = 1
    ContourWriter(path, ImageInfo("a", (4, 5), make_spec(), meta)).finish(mask)
    return json.loads(path.read_text())


def test_polygons_are_in_pixels_or_in_the_image_s_coordinates(tmp_path):
    assert ContourWriter.choose_suffix(Path("a.tif")) == ".geojson"
    (region,) = write(tmp_path / "a.geojson")["features"]
    assert {tuple(point) for point in region["geometry"]["coordinates"][0]} == {(2, 1), (4, 1), (4, 3), (2, 3)}
    placed = write(tmp_path / "b.geojson", affine=(100.0, 0.5, 0.0, 200.0, 0.0, -0.5), crs="EPSG:32632")
    (ring,) = placed["features"][0]["geometry"]["coordinates"]
    assert {tuple(point) for point in ring} == {(101, 199.5), (102, 199.5), (102, 198.5), (101, 198.5)}
    assert "32632" in placed["crs"]["properties"]["name"]


def test_polygons_on_a_slide_are_in_pixels_of_its_finest_level(tmp_path):
    (region,) = write(tmp_path / "a.geojson", downsample=(4.0, 3.0))["features"]
    assert {tuple(point) for point in region["geometry"]["coordinates"][0]} == {(6, 4), (12, 4), (12, 12), (6, 12)}
    assert region["properties"]["pixels"] == 4


def test_qupath_reads_the_polygons_on_a_slide(tmp_path):
    write(tmp_path / "a.geojson", downsample=(4.0, 4.0))
    (entry,) = QuPath().parse(tmp_path / "a.geojson")
    assert [shape.label for shape in entry.shapes] == [make_spec().classes[1]]
