"""Variants become jobs: equally large where asked, with configs that say it, in folders that are never mixed."""

import os
import shutil
from pathlib import Path

import pytest
import torch
import yaml

from segapp.callbacks.curves import write_rows
from segapp.cli import main
from segapp.errors import MisuseError, SegappError
from tests.lab.study.planned import STUDY, plan


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """A study's folder and its jobs, as they are before any has run."""
    folder = tmp_path_factory.mktemp("planned")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return folder, plan()


@pytest.fixture
def jobs(planned, tmp_path):
    """These jobs, in a copy of that folder."""
    shutil.copytree(planned[0], tmp_path, dirs_exist_ok=True)
    return planned[1]


def test_every_arm_and_seed_has_a_complete_config_of_its_own(jobs):
    assert [(job.variant, job.seed) for job in jobs] == [
        ("long_skip=concat", 0),
        ("long_skip=none", 0),
        ("long_skip=concat", 1),
        ("long_skip=none", 1),
    ]
    config = yaml.safe_load((jobs[3].folder / "config.yaml").read_text())
    assert config["seed_everything"] == 1
    assert config["model"]["net"]["init_args"]["long_skip"] == "none"
    assert Path(config["trainer"]["default_root_dir"]) / config["name"] == jobs[3].folder
    assert jobs[0].facts["groups"].keys() == {f"test/images/cells_{i:04d}" for i in range(4)}
    assert len(set(jobs[0].examples)) == 3


def test_another_study_in_the_same_folder_is_refused(jobs):
    with pytest.raises(MisuseError, match=r"max_epochs=12.*7.*another name"):
        plan(set=STUDY["set"] | {"trainer.max_epochs": 7})


@pytest.mark.parametrize("changes", [{"score_on": "validate"}, {"landscape": {"samples": 4}}])
def test_runs_that_were_scored_otherwise_are_not_mixed_with_new_ones(changes):
    one = {"seeds": [0], "grid": {"model.net.init_args.long_skip": ["concat"]}}
    (job,) = plan(**one, landscape={"samples": 3})
    job.write_state(status="failed", seconds=1.0, message="as it happens")
    plan(**one, **changes)  # nothing is there yet that could be mixed
    job.write_state(status="finished", seconds=1.0, run="now", evaluation="test-1")
    (key,) = changes
    with pytest.raises(MisuseError, match=rf"seed-0: was run with {key}: .*another name"):
        plan(**one, **{"landscape": {"samples": 3}} | changes)
    plan(**one, landscape={"samples": 3})


def test_the_time_of_a_running_job_is_noted_beside_its_state(jobs):
    job = jobs[0]
    job.write_state(status="running", seconds=5.0)
    job.record_seconds(17.0)
    assert job.read_state()["seconds"] == 17
    job.write_state(status="finished", seconds=20.0, run="now", evaluation="test-1")
    job.record_seconds(19.0)  # a note that comes late changes nothing
    assert job.read_state() | {"groups": None} == job.facts | job.options | {
        "status": "finished",
        "seconds": 20.0,
        "run": "now",
        "evaluation": "test-1",
        "groups": None,
        "image": [1, 32, 16],
    }


@pytest.mark.parametrize(
    ("trainer", "done"),
    [
        ({}, 3 / 12),
        ({"max_epochs": -1, "max_steps": 80}, 60 / 80),
        ({"max_epochs": -1, "max_time": "00:00:10:00"}, 0.0),
    ],
)
def test_progress_is_that_of_epochs_or_of_steps(trainer, done):
    """What `segapp plan` writes is limited by steps."""
    job = plan(set=STUDY["set"] | {f"trainer.{key}": value for key, value in trainer.items()})[0]
    assert job.measure_progress() == 0
    write_rows(job.folder / "now" / "metrics.csv", [{"epoch": "2", "step": "40"}, {"epoch": "3", "step": "60"}])
    assert job.measure_progress() == done
    job.write_state(status="finished", seconds=20.0, run="now", evaluation="test-1")
    assert job.measure_progress() == 1


def test_curves_that_no_run_writes_are_one_message(jobs):
    write_rows(jobs[0].folder / "now" / "metrics.csv", [{"loss": "2"}])
    with pytest.raises(SegappError, match=r"metrics\.csv: damaged"):
        jobs[0].measure_progress()


def test_a_network_that_cannot_be_built_is_refused_before_anything_runs():
    with pytest.raises(MisuseError, match="long_skip=cat"):
        plan(grid={"model.net.init_args.long_skip": ["cat"]})


def test_a_data_set_without_test_images_is_refused():
    source = STUDY["set"]["data.source.init_args"] | {"test": 0, "root": "none"}
    with pytest.raises(MisuseError, match="score_on: validate"):
        plan(set=STUDY["set"] | {"data.source.init_args": source})


def test_nothing_is_drawn_to_plan():
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    plan()
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        '{"status": "done", "seconds": 1}',
        '{"status": "new", "seconds": "x"}',
        '{"status": "finished", "seconds": 1, "run": "../../../elsewhere", "evaluation": "test-1"}',
        '{"status": "finished", "seconds": 1, "run": "a", "evaluation": 3}',
        '{"status": "finished", "seconds": 1}',
        '{"status": "failed", "seconds": 1, "message": ["a"]}',
    ],
)
def test_a_state_that_no_job_writes_is_one_message(text, jobs):
    """Nor does one lead out of the job's folder."""
    (job, *_) = jobs
    (job.folder / "state.json").write_text(text)
    with pytest.raises(MisuseError, match=r"state\.json: damaged"):
        job.read_state()


@pytest.mark.parametrize("file", ["variants/x/log.txt", "variants/x/1/metrics.csv", "study.yaml", ".lock"])
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_study_folder_from_elsewhere_leads_nowhere(file, kind, jobs, capsys):
    """Its log would be written through the link, a table of /dev/zero read without end."""
    path = Path("runs/study", file)
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "link":
        Path("precious.txt").write_text("precious")
        path.symlink_to(Path("precious.txt").resolve())
    else:
        os.mkfifo(path)
    assert main(["study", "--config", "study.yaml"]) == 2
    assert path.name in capsys.readouterr().err
    assert kind == "pipe" or Path("precious.txt").read_text() == "precious"
