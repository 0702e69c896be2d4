"""Where runs go, and that whoever starts their processes, all of them agree."""

from pathlib import Path

import pytest

from segapp.errors import MisuseError
from segapp.system.facts import folder
from segapp.training.devices import apply_torchrun
from segapp.training.run_folder import (
    find_job,
    find_last_checkpoint,
    link_latest,
    make_results_folder,
    make_run_folder,
    remove_if_empty,
    suggest_newest_best,
)


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """No launcher around the tests."""
    monkeypatch.delenv("LOCAL_RANK", raising=False)


def test_two_runs_in_one_second_have_folders_of_their_own(tmp_path):
    first, second = make_run_folder(tmp_path, "a"), make_run_folder(tmp_path, "a")
    assert first != second
    assert first.parent == second.parent == tmp_path / "a"
    assert first.is_dir() and second.is_dir()


def test_a_process_that_the_first_one_started_takes_its_folder(tmp_path, monkeypatch):
    folder = make_run_folder(tmp_path, "a")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert make_run_folder(tmp_path, "a") == folder
    assert make_results_folder(folder, "test") == folder


def test_a_job_has_one_folder_however_often_and_by_whom_it_is_started(tmp_path):
    assert make_run_folder(tmp_path, "a", "job7") == make_run_folder(tmp_path, "a", "job7") == tmp_path / "a" / "job7"


def test_verdicts_are_numbered_and_those_of_a_job_are_named(tmp_path):
    assert [make_results_folder(tmp_path, "test").name for _ in range(2)] == ["test-1", "test-2"]
    assert (
        make_results_folder(tmp_path, "test", "job7").name
        == make_results_folder(tmp_path, "test", "job7").name
        == "test-job7"
    )


def test_a_link_to_nothing_is_said_and_not_tried_for_ever(tmp_path):
    (tmp_path / "runs").symlink_to(tmp_path / "not_mounted" / "runs")
    with pytest.raises(MisuseError, match=r"no folder .*runs/unet .*: .*runs"):
        make_run_folder(tmp_path / "runs", "unet")
    assert "is a link to nothing" in (folder(tmp_path / "runs").trouble or "")


@pytest.mark.parametrize("name", ["", "/etc", "../up", "~", "a/~me", "memory::x", "$HOME", "a\nb: [evil]", "\x1b[31m"])
def test_names_stay_inside_the_runs(tmp_path, name):
    with pytest.raises(MisuseError, match="must be a plain name"):
        make_run_folder(tmp_path, name)
    with pytest.raises(MisuseError, match="must be a plain name"):
        find_job(name, {})


def test_only_a_run_that_saved_can_go_on(tmp_path):
    assert find_last_checkpoint(tmp_path) is None
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.ckpt").write_bytes(b"x")
    assert find_last_checkpoint(tmp_path) == tmp_path / "checkpoints" / "last.ckpt"


def test_nobody_around_is_no_job():
    assert find_job(None, {}) is None
    assert find_job(None, {"SLURM_NTASKS": "1", "SLURM_STEP_ID": "0"}) is None
    assert find_job(None, {"SLURM_NTASKS": "8"}) is None  # in the batch script itself


def test_torchrun_names_its_runs_and_what_is_given_wins():
    assert find_job(None, {"TORCHELASTIC_RUN_ID": "5b1c"}) == "5b1c"
    assert find_job("mine", {"TORCHELASTIC_RUN_ID": "5b1c"}) == "mine"
    assert find_job("mine", {"TORCHELASTIC_RUN_ID": "none"}) == "mine"


@pytest.mark.parametrize(
    ("environment", "advice"),
    [
        ({"TORCHELASTIC_RUN_ID": "none"}, "--rdzv_id"),
        ({"SLURM_NTASKS": "4", "SLURM_STEP_ID": "0"}, "SLURM_JOB_ID"),
    ],
)
def test_processes_that_could_only_guess_are_told_what_to_give(environment, advice):
    with pytest.raises(MisuseError, match=advice):
        find_job(None, environment)


def test_what_torchrun_decided_is_not_asked_again():
    torchrun = {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4"}
    assert apply_torchrun({"devices": "auto", "num_nodes": 1}, {}) == {}
    assert apply_torchrun({"devices": "auto", "num_nodes": 1}, torchrun) == {"devices": 4, "num_nodes": 2}
    assert apply_torchrun({"devices": 3, "num_nodes": 5}, torchrun) == {"devices": 3, "num_nodes": 5}


def test_latest_links_to_the_newest_run(tmp_path):
    for _ in range(2):
        run = make_run_folder(tmp_path, "a")
        link_latest(run)
        assert (tmp_path / "a" / "latest").readlink() == Path(run.name)
    remove_if_empty()
    assert not (tmp_path / "a" / "latest").is_symlink()  # what it led to was empty


def test_what_is_called_latest_and_is_no_link_stays(tmp_path):
    (tmp_path / "a" / "latest").mkdir(parents=True)
    link_latest(make_run_folder(tmp_path, "a"))
    assert not (tmp_path / "a" / "latest").is_symlink()
    with pytest.raises(MisuseError, match="--job"):
        make_run_folder(tmp_path, "a", "latest")


def test_the_newest_best_is_named_by_its_run_and_not_by_the_link_to_it(tmp_path):
    run = make_run_folder(tmp_path, "a")
    (run / "checkpoints").mkdir()
    (run / "checkpoints" / "best.ckpt").touch()
    link_latest(run)
    assert suggest_newest_best(tmp_path).endswith(f"{run.name}/checkpoints/best.ckpt.")


@pytest.mark.parametrize(
    ("target", "is_ours"), [("20250101", True), ("gone", True), ("release", False), ("../elsewhere", False)]
)
def test_only_a_link_to_a_run_beside_it_is_moved(tmp_path, target, is_ours):
    for name in ("20250101", "20250202"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "config.yaml").touch()
    (tmp_path / "runs/release/bin").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/config.yaml").touch()
    link = tmp_path / "runs/latest"
    link.symlink_to(target)
    link_latest(tmp_path / "runs/20250202")
    assert str(link.readlink()) == ("20250202" if is_ours else target)
