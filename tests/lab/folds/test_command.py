"""`segapp folds` as a person runs it."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from segapp.cli import main
from tests.lab.folds.sample import write_config, write_data

ROOT = Path(__file__).parents[3]


def run(folder: Path, *words: str) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "segapp", *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_every_image_is_scored_by_the_fold_that_has_not_seen_it(tmp_path):
    names = write_data(tmp_path / "data")
    write_config(tmp_path / "mine.yaml")
    run(tmp_path, "folds", "--config", "mine.yaml", "--folds", "3", "--workers", "2")
    place = tmp_path / "runs" / "mine_folds"
    images = rows(place / "images.csv")
    scored = [row["image"] for row in images]
    assert len(set(scored)) == len(scored) == 10  # one group of two is held out for the test
    assert len({row["group"] for row in images}) == 5 and set(scored) < set(names)
    folds = {row["group"]: {other["fold"] for other in images if other["group"] == row["group"]} for row in images}
    assert all(len(found) == 1 for found in folds.values())
    assert "<h2>Scores</h2>" in (place / "report.html").read_text()

    run(tmp_path, "predict", "--ckpt_path", str(place / "ensemble"), "--images", "data/images", "--output", "masks")
    assert len(list((tmp_path / "masks").rglob("*.png"))) == 12
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*.safetensors")}
    assert len(before) == 3
    run(tmp_path, "folds", "--config", "mine.yaml", "--folds", "3")  # nothing is trained again
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*.safetensors")} == before
    assert len(list(place.glob("variants/*/seed-3/2*"))) == 3


def test_a_data_set_without_a_split_is_a_misuse(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("trainer: {max_epochs: 1}")
    assert main(["folds", "--config", "mine.yaml"]) == 2
    assert "data.source" in capsys.readouterr().err
