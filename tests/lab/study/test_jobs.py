"""Variants become jobs: equally large where asked, with configs that say it, in folders that are never mixed."""

import os
from functools import partial
from pathlib import Path

import pytest
import torch
import yaml

from segapp.cli import main
from segapp.cli.parser import FunctionParser
from segapp.errors import MisuseError
from segapp.lab.landscape.command import landscape
from segapp.lab.study import sizes
from segapp.lab.study.config import read_study
from segapp.lab.study.jobs import plan_jobs
from segapp.lab.study.run_variant import list_landscape_options
from segapp.lab.study.sizes import measure_size
from segapp.loading.source_building import build_source
from segapp.models import PlainEncoder, UNet, count_params

ENCODER = "model.net.init_args.encoder.init_args"
STUDY = {
    "base": str(Path(__file__).parents[3] / "configs" / "unet.yaml"),
    "set": {
        "data.source.init_args": {"root": "cells", "size": 32, "train": 2, "val": 1, "test": 4},
        "data.crop": [32, 16],
        f"{ENCODER}.widths": [8, 16],
    },
    "grid": {"model.net.init_args.long_skip": ["concat", "none"]},
    "seeds": [0, 1],
}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def plan(**changes):
    Path("study.yaml").write_text(yaml.safe_dump(STUDY | changes))
    return plan_jobs(read_study(Path("study.yaml")), Path("runs/study"))


def test_every_arm_and_seed_has_a_complete_config_of_its_own():
    jobs = plan()
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


def test_sizes_are_those_of_the_network():
    job = plan()[0]
    net = UNet(1, 2, encoder=partial(PlainEncoder, widths=(8, 16)))
    assert job.facts["parameters"] == count_params(net)
    assert job.facts["image"] == (1, 32, 16)


def test_flops_by_hand():
    """One level of width 4 without pooling: two 3×3 convolutions and the 1×1 head on 10×6 pixels."""
    net = {
        "class_path": "segapp.models.UNet",
        "init_args": {
            "encoder": {"class_path": "segapp.models.PlainEncoder", "init_args": {"widths": [4]}},
            "decoder_widths": [],
        },
    }
    data = {"source": {"class_path": "segapp.datasets.Cells", "init_args": {"root": "cells"}}, "crop": [10, 6]}
    size = measure_size("here", {"model": {"net": net}, "data": data}, build_source("here", data))
    assert size.flops == 2 * 60 * (1 * 4 * 9 + 4 * 4 * 9 + 4 * 2)


def test_matched_widths_are_written_into_the_configs():
    jobs = plan(match_params={"target": "long_skip=concat", "tolerance": 0.05})
    reference, matched = jobs[0].facts["parameters"], jobs[1].facts["parameters"]
    assert abs(matched - reference) <= 0.05 * reference
    widths = [yaml.safe_load((job.folder / "config.yaml").read_text()) for job in jobs[:2]]
    found = [w["model"]["net"]["init_args"]["encoder"]["init_args"]["widths"] for w in widths]
    assert found[0] == [8, 16]
    assert found[1] != [8, 16]


@pytest.mark.slow
def test_matched_widths_are_found_once(monkeypatch):
    matching = {"target": "long_skip=concat", "tolerance": 0.05}
    first = plan(match_params=matching)
    monkeypatch.setattr(sizes, "match_params", None)
    assert plan(match_params=matching) == first


def test_another_study_in_the_same_folder_is_refused():
    plan()
    with pytest.raises(MisuseError, match=r"max_epochs=12.*7.*another name"):
        plan(set=STUDY["set"] | {"trainer.max_epochs": 7})


@pytest.mark.parametrize("changes", [{"score_on": "validate"}, {"landscape": {"samples": 4}}])
def test_runs_that_were_scored_otherwise_are_not_mixed_with_new_ones(changes):
    job = plan(landscape={"samples": 3})[0]
    job.write_state(status="failed", seconds=1.0, message="as it happens")
    plan(**changes)  # nothing is there yet that could be mixed
    job.write_state(status="finished", seconds=1.0, run="now", evaluation="test-1")
    (key,) = changes
    with pytest.raises(MisuseError, match=rf"seed-0: was carried out with {key}: .*another name"):
        plan(**{"landscape": {"samples": 3}} | changes)
    plan(landscape={"samples": 3})


def test_options_of_a_landscape_are_written_as_the_command_line_takes_them():
    options = list_landscape_options({"split": "val", "samples": 4, "recalibrate": True, "radius": 0.5})
    assert options == ["--split=val", "--samples=4", "--recalibrate=true", "--radius=0.5"]
    parser = FunctionParser()
    parser.add_function_arguments(landscape, as_group=False)
    found = parser.parse_args(options)
    assert (found.split, found.samples, found.recalibrate, found.radius) == ("val", 4, True, 0.5)


def test_the_time_of_a_running_job_is_noted_beside_its_state():
    job = plan()[0]
    job.write_state(status="running", seconds=5.0)
    job.record_seconds(17.0)
    assert job.state()["seconds"] == 17
    job.write_state(status="finished", seconds=20.0, run="now", evaluation="test-1")
    job.record_seconds(19.0)  # a note that comes late changes nothing
    assert job.state() | {"groups": None} == job.facts | job.options | {
        "status": "finished",
        "seconds": 20.0,
        "run": "now",
        "evaluation": "test-1",
        "groups": None,
        "image": [1, 32, 16],
    }


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
    ],
)
def test_a_state_that_no_job_writes_is_one_message(text):
    """Nor does one lead out of the job's folder."""
    (job, *_) = plan()
    (job.folder / "state.json").write_text(text)
    with pytest.raises(MisuseError, match=r"state\.json: damaged"):
        job.state()


@pytest.mark.parametrize("file", ["variants/x/log.txt", "variants/x/1/metrics.csv", "study.yaml", ".lock"])
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_study_folder_from_elsewhere_leads_nowhere(file, kind, capsys):
    """Its log would be written through the link, a table of /dev/zero read without end."""
    plan()
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
