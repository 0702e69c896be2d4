"""The page on GeoTIFFs and vectors: its commands check, plan, train and predict, from GeoJSON and from other files."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely
import yaml

from segapp.cli import main
from segapp.planning.sizes import PIXELS_PER_STEP
from tests.datasets.annotations.georeferenced import collect, make_box, make_feature, write_geotiff
from tests.datasets.annotations.samples import write_json
from tests.io.vectors.samples import write_vectors

PAGE = (Path(__file__).parents[1] / "docs" / "geotiff-vectors.md").read_text()
SHORT = ["--trainer.max_epochs=1", "--trainer.limit_train_batches=1", "--trainer.val_check_interval=1"]
"""One step and a validation, however many steps the plan of this machine has between validations."""


def write_fields(root: Path, suffix: str = ".geojson") -> None:
    """Write a scene of 384 x 512 pixels with bright and dark fields, and the fields as polygons."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(100, 140, (384, 512), dtype=np.uint8)
    features = []
    for number in range(60):
        x, y = (int(value) for value in rng.integers(0, (490, 360)))
        is_wheat = number % 2
        pixels[y : y + 20, x : x + 18] = 200 if is_wheat else 40
        features.append(make_feature(make_box(x, y, x + 18, y + 20), crop="wheat" if is_wheat else "maize"))
    write_geotiff(root / "scenes/a.tif", pixels=pixels)
    if suffix == ".geojson":
        write_json(root / "fields.geojson", collect(*features))
    else:
        crops = [feature["properties"]["crop"] for feature in features]
        shapes = [shapely.geometry.shape(feature["geometry"]) for feature in features]
        write_vectors(root / f"fields{suffix}", shapes, {"crop": crops})


@pytest.mark.slow
def test_the_commands_of_the_page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEGAPP_RUN_FOLDER", raising=False)
    monkeypatch.setitem(PIXELS_PER_STEP, "cpu", 2 * 128**2)
    write_fields(tmp_path)
    (section, _), (_, block) = (re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL) for kind in ("yaml", "sh"))
    (tmp_path / "fields.yaml").write_text(section)
    for line in block.splitlines():
        words = shlex.split(line)[1:]
        assert main([*words, *(SHORT if words[0] == "fit" else [])]) == 0, capsys.readouterr().err
    found = json.loads((tmp_path / "found/contours/a.geojson").read_text())
    assert found["crs"]["properties"]["name"] == "EPSG:32633"
    points = np.array([point for one in found["features"] for point in one["geometry"]["coordinates"][0]])
    assert (points >= (500_000, 5_000_000 - 3840)).all() and (points <= (505_120, 5_000_000)).all()


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".gpkg", ".shp"])
def test_other_files_are_checked_planned_trained_tested_and_predicted(suffix, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEGAPP_RUN_FOLDER", raising=False)
    monkeypatch.setitem(PIXELS_PER_STEP, "cpu", 2 * 128**2)
    write_fields(tmp_path, suffix)
    data = ["--images", "scenes", "--masks", f"fields{suffix}"]
    checkpoint = "runs/mine/latest/checkpoints/best.ckpt"
    for words in (
        ["check", *data],
        ["plan", *data, "--output", "mine.yaml", "--budget", "1m"],
        ["fit", "--config", "mine.yaml", *SHORT],
        ["test", "--ckpt_path", checkpoint],
        ["predict", "--ckpt_path", checkpoint, "--images", "scenes", "--output", "found", "--save", "geopackage"],
    ):
        assert main(words) == 0, capsys.readouterr().err
    source = yaml.safe_load((tmp_path / "mine.yaml").read_text())["data"]["source"]["init_args"]
    kind = {".gpkg": "GeoPackage", ".shp": "Shapefile"}[suffix]
    assert source["mask"] == {"class_path": f"segapp.datasets.{kind}", "init_args": {"class_field": "crop"}}
    assert source["classes"] == ["background", "maize", "wheat"]
    meta, _, polygons, (names, *_) = pyogrio.raw.read(tmp_path / "found/geopackage/a.gpkg")
    assert meta["crs"] == "EPSG:32633" and {*names} <= {"maize", "wheat"}
    scene = shapely.box(500_000, 5_000_000 - 3840, 505_120, 5_000_000)
    assert all(scene.covers(polygon) for polygon in shapely.from_wkb(polygons))
