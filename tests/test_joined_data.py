"""Joined data sets from training to prediction, as a user runs them."""

import csv
from pathlib import Path

import pytest
import yaml

from segapp.cli import main

pytestmark = pytest.mark.slow


def make_config(folder: Path) -> Path:
    cells = {"size": 48, "train": 4, "val": 2, "test": 2}
    sources = [
        {"class_path": "segapp.datasets.Cells", "init_args": {"root": f"data/{int(border)}", "border": border, **cells}}
        for border in (False, True)
    ]  # the first lacks a class
    joined = {"sources": sources, "weights": [1, 3], "names": ["a", "b"]}
    config = yaml.safe_load((Path(__file__).parent / "tiny.yaml").read_text())
    config["data"] |= {"source": {"class_path": "segapp.datasets.Joined", "init_args": joined}, "num_workers": 0}
    config["model"]["loss"]["init_args"] = {"class_weights": "balanced"}
    config["trainer"]["max_epochs"] = 1
    path = folder / "joined.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def test_joined_sets_are_trained_scored_checked_and_predicted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    config = make_config(tmp_path)
    assert main(["fit", "--config", str(config)]) == 0
    (run,) = Path("runs/tiny").glob("2*")
    checkpoint = run / "checkpoints" / "best.ckpt"
    assert main(["test", "--ckpt_path", str(checkpoint)]) == 0
    with (run / "test-1" / "per_image.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["name"][:2] for row in rows] == ["a/", "a/", "b/", "b/"]
    border = [[float(row[f"{count}/border"]) for count in ("tp", "fp", "fn")] for row in rows]
    assert not any(map(any, border[:2])) and all(map(any, border[2:]))
    assert main(["fit", "--ckpt_path", str(run / "checkpoints" / "last.ckpt"), "--trainer.max_epochs", "2"]) == 0
    assert main(["predict", "--ckpt_path", str(checkpoint), "--images", "data/0/test/images", "--output", "out"]) == 0
    section = tmp_path / "section.yaml"
    section.write_text(yaml.safe_dump({"source": yaml.safe_load(config.read_text())["data"]["source"]}))
    assert main(["check", "--data", str(section)]) in (0, 1)
    Path("data/1").rename("data/gone")
    capsys.readouterr()
    assert main(["test", "--ckpt_path", str(checkpoint)]) == 2
    assert "data/1" in capsys.readouterr().err
