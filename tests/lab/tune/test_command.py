"""`segapp plan --tune` as a person runs it."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from segapp.cli import main
from segapp.lab.tune import halving
from segapp.lab.tune.saved_plan import SavedPlan, write_saved_plan
from segapp.planning.decisions import Decision
from tests.lab.folds.sample import write_data

ROOT = Path(__file__).parents[3]
TUNE = ["plan", "--images", "data/images", "--masks", "data/masks", "--classes", "ground,disc", "--output", "mine.yaml"]

SHORT = """
import sys
from segapp.cli import main
from segapp.lab.tune import halving

halving.MIN_SECONDS, halving.MIN_STEPS = 1.0, 4
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_the_better_of_two_plans_is_written_with_what_it_was_compared_with(tmp_path):
    write_data(tmp_path / "data")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", SHORT, *TUNE, "--budget", "45s", "--tune", "1"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    text = (tmp_path / "mine.yaml").read_text()
    assert "Compared with 1 alternatives" in text.replace("\n# ", " ")
    rate = yaml.safe_load(text)["model"]["optimizer"]["init_args"]["lr"]
    assert rate == (0.003 if "Chosen by --tune" in text else 0.001)
    with (tmp_path / "runs" / "mine_tune" / "tune.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["variant"] for row in rows] == [halving.PLAN, "three times the learning rate"]
    assert all(0 <= float(row["score"]) <= 1 and row["seeds"] == "3" for row in rows)


def test_more_alternatives_than_there_are_are_listed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path / "data")
    assert main([*TUNE, "--budget", "60s", "--tune", "99"]) == 2
    told = capsys.readouterr().err
    assert "--tune 99" in told and "learning rate" in told
    assert not (tmp_path / "mine.yaml").exists()


def test_a_saved_plan_names_no_classes_from_elsewhere(tmp_path, monkeypatch, capsys):
    """The folder may have come with someone's images."""
    monkeypatch.chdir(tmp_path)
    inputs = {"images": "photos", "masks": "labels", "data": "", "output": "plan.yaml", "budget": "30s", "classes": ""}
    evil = Decision("model.net", {"class_path": "evilmod.Net"}, "")
    write_saved_plan(Path("runs/plan_tune"), SavedPlan({**inputs, "tune": 1}, "", (evil,)))
    Path("evilmod.py").write_text("from pathlib import Path; Path('ran').touch()")
    assert main(["plan", "--images", "photos", "--masks", "labels", "--budget", "30s", "--tune", "1"]) == 2
    assert "evilmod" in capsys.readouterr().err and not Path("ran").exists()
