"""`segapp plan --tune` compares alternatives of a plan."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from segapp.cli import main
from segapp.lab.tune import halving
from segapp.planning import trial
from tests.lab.folds.sample import write_data

TUNE = ["plan", "--images", "data/images", "--masks", "data/masks", "--classes", "ground,disc", "--output", "mine.yaml"]


@pytest.mark.slow
def test_the_better_of_two_plans_is_written_with_what_it_was_compared_with(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path / "data")
    monkeypatch.setattr(halving, "MIN_SECONDS", 1.0)
    monkeypatch.setattr(halving, "MIN_STEPS", 4)
    assert main([*TUNE, "--budget", "45s", "--tune", "1"]) == 0
    text = (tmp_path / "mine.yaml").read_text()
    assert "Compared with 1 alternatives" in text.replace("\n# ", " ")
    rate = yaml.safe_load(text)["model"]["optimizer"]["init_args"]["lr"]
    assert rate == (0.003 if "Chosen by --tune" in text else 0.001)
    with (tmp_path / "runs" / "mine_tune" / "tune.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["variant"] for row in rows] == [halving.PLAN, "three times the learning rate"]
    assert all(0 <= float(row["score"]) <= 1 and row["seeds"] == "3" for row in rows)


def write_measured(tune: int, decisions: Sequence[dict] = ()) -> None:
    """Write what an interrupted command left: the steps that it measured."""
    options = ["images", "masks", "data", "output", "budget", "classes"]
    inputs = dict(zip(options, ["data/images", "data/masks", "", "mine.yaml", "60s", "ground,disc"], strict=True))
    saved = {"inputs": inputs | {"tune": tune}, "heading": "", "decisions": [*decisions], "paces": [[0.01, 0.02]] * 9}
    Path("runs/mine_tune").mkdir(parents=True)
    Path("runs/mine_tune/plan.json").write_text(json.dumps(saved))


@pytest.fixture
def no_page(monkeypatch):
    """tests/planning/test_page.py has it; its figures take longer than the plan."""
    monkeypatch.setattr("segapp.commands.plan.write_page", lambda *_: None)


def test_more_alternatives_than_there_are_are_listed(no_page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path / "data")
    write_measured(99)
    assert main([*TUNE, "--budget", "60s", "--tune", "99"]) == 2
    told = capsys.readouterr().err
    assert "--tune 99" in told and "learning rate" in told
    assert not (tmp_path / "mine.yaml").exists()


def test_decisions_that_came_with_the_images_are_not_taken(no_page, tmp_path, monkeypatch):
    """The folder may have come with someone's images: only its measurements are used."""
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path / "data")
    logger = {"class_path": "lightning.pytorch.loggers.CSVLogger", "init_args": {"save_dir": "home"}}
    evil = {"setting": "trainer.logger", "value": logger, "reason": ""}
    write_measured(1, [evil])
    compared = {}

    def compare(folder, config, *others):
        compared.update(config)
        raise KeyboardInterrupt

    monkeypatch.setattr(halving, "compare_alternatives", compare)
    monkeypatch.setattr(trial, "measure_step", lambda *_: pytest.fail("measured again"))
    assert main([*TUNE, "--budget", "60s", "--tune", "1"]) == 130
    assert "logger" not in compared["trainer"] and compared["trainer"]["max_steps"] > 1000  # at 10 ms each
