"""The page on GeoTIFFs and vectors: its commands check, plan, train and predict."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from segapp.cli import main
from segapp.planning.sizes import PIXELS_PER_STEP
from tests.datasets.annotations.georeferenced import collect, make_box, make_feature, write_geotiff
from tests.datasets.annotations.samples import write_json

PAGE = (Path(__file__).parents[1] / "docs" / "geotiff-vectors.md").read_text()
SHORT = ["--trainer.max_epochs=1", "--trainer.limit_train_batches=1", "--trainer.val_check_interval=1"]
"""One step and a validation, however many steps the plan of this machine has between validations."""


def write_fields(root: Path) -> None:
    """Write a scene of 384 x 512 pixels with bright and dark fields, and the fields as GeoJSON."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(100, 140, (384, 512), dtype=np.uint8)
    features = []
    for number in range(60):
        x, y = (int(value) for value in rng.integers(0, (490, 360)))
        is_wheat = number % 2
        pixels[y : y + 20, x : x + 18] = 200 if is_wheat else 40
        features.append(make_feature(make_box(x, y, x + 18, y + 20), crop="wheat" if is_wheat else "maize"))
    write_geotiff(root / "scenes/a.tif", pixels=pixels)
    write_json(root / "fields.geojson", collect(*features))


@pytest.mark.slow
def test_the_commands_of_the_page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEGAPP_RUN_FOLDER", raising=False)
    monkeypatch.setitem(PIXELS_PER_STEP, "cpu", 2 * 128**2)
    write_fields(tmp_path)
    (section, _), (block,) = (re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL) for kind in ("yaml", "sh"))
    (tmp_path / "fields.yaml").write_text(section)
    for line in block.splitlines():
        words = shlex.split(line)[1:]
        assert main([*words, *(SHORT if words[0] == "fit" else [])]) == 0, capsys.readouterr().err
    found = json.loads((tmp_path / "found/contours/a.geojson").read_text())
    assert found["crs"]["properties"]["name"] == "EPSG:32633"
    points = np.array([point for one in found["features"] for point in one["geometry"]["coordinates"][0]])
    assert (points >= (500_000, 5_000_000 - 3840)).all() and (points <= (505_120, 5_000_000)).all()
