"""What a fit ends with, said of what lies in its folder."""

import shlex

import pytest

from segapp.training.summary import format_summary


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "my runs"
    (folder / "checkpoints").mkdir(parents=True)
    return folder


def test_without_any_checkpoint_nothing_is_said_to_lie_anywhere(tmp_path):
    said = format_summary(tmp_path, ["cell"])
    assert "No checkpoint was kept: nothing was trained, or it was a fast_dev_run" in said
    assert str(tmp_path) not in said


def test_without_a_best_checkpoint_the_last_is_named(run):
    (run / "checkpoints" / "last.ckpt").touch()
    said = format_summary(run, ["cell"])
    assert "No best checkpoint was kept: nothing was validated, or it was a fast_dev_run" in said
    assert str(run / "checkpoints") in said


def test_the_next_commands_can_be_copied_whatever_the_folder_is_called(run, monkeypatch):
    best = run / "checkpoints" / "best.ckpt"
    best.touch()
    monkeypatch.setattr("segapp.training.summary.read_checkpoint", lambda path: {"segapp": {"scores": {}}})
    commands = [line.removeprefix("next:") for line in format_summary(run, ["cell"]).splitlines()[-2:]]
    assert [shlex.split(command)[:4] for command in commands] == [
        ["segapp", verb, "--ckpt_path", str(best)] for verb in ("test", "predict")
    ]
    without = format_summary(run, ["cell"], has_test=False)
    assert "segapp test" not in without and "\nnext:   segapp predict" in without
