"""`segapp folds` from data to masks of the ensemble."""

import csv
from pathlib import Path

import pytest

from segapp.cli import main
from tests.lab.folds.sample import write_config, write_data


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_every_image_is_scored_by_the_fold_that_has_not_seen_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = write_data(tmp_path / "data")
    write_config(tmp_path / "mine.yaml")
    assert main(["folds", "--config", "mine.yaml", "--folds", "3", "--workers", "2"]) == 0
    place = tmp_path / "runs" / "mine_folds"
    images = rows(place / "images.csv")
    scored = [row["image"] for row in images]
    assert len(set(scored)) == len(scored) == 10  # one group of two is held out for the test
    assert len({row["group"] for row in images}) == 5 and set(scored) < set(names)
    folds = {row["group"]: {other["fold"] for other in images if other["group"] == row["group"]} for row in images}
    assert all(len(found) == 1 for found in folds.values())
    assert "<h2>Scores</h2>" in (place / "report.html").read_text()

    assert main(["predict", "--ckpt_path", f"{place}/ensemble", "--images", "data/images", "--output", "masks"]) == 0
    assert len(list((tmp_path / "masks").rglob("*.png"))) == 12
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*.safetensors")}
    assert len(before) == 3
    assert main(["folds", "--config", "mine.yaml", "--folds", "3"]) == 0  # nothing is trained again
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*.safetensors")} == before
    assert len(list(place.glob("variants/*/seed-3/2*"))) == 3


def test_a_data_set_without_a_split_is_a_misuse(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("trainer: {max_epochs: 1}")
    assert main(["folds", "--config", "mine.yaml"]) == 2
    assert "data.source" in capsys.readouterr().err
