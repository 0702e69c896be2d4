"""The messages about the limits of a run."""

from types import SimpleNamespace

import pytest

from segapp.callbacks import TimeBudget
from segapp.cli.run_limits import explain_cut, explain_finished_run

CHECKPOINT = {
    "loops": {"fit_loop": {"epoch_progress": {"current": {"processed": 2}}}},
    "global_step": 10,
    "callbacks": {"Timer{}": {"time_elapsed": {"train": 3600.0}}},
}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"max_epochs": 2}, "--trainer.max_epochs, such as 4"),
        ({"max_steps": 10}, "--trainer.max_steps, such as 20"),
        ({"max_time": "00:00:30:00"}, "--trainer.max_time"),
    ],
    ids=str,
)
def test_a_run_that_has_reached_a_limit_is_explained_with_its_option(changes, named):
    trainer = {"max_epochs": 9, "max_steps": -1, "max_time": None} | changes
    assert named in (explain_finished_run(CHECKPOINT, trainer) or "")


def test_a_run_below_its_limits_has_no_message():
    trainer = {"max_epochs": 3, "max_steps": 11, "max_time": "00:02:00:00"}
    assert explain_finished_run(CHECKPOINT, trainer) is None


def test_a_cut_run_is_told_what_cut_it():
    callback = TimeBudget(1)
    trainer = SimpleNamespace(global_step=7, callbacks=[callback])
    said = explain_cut(trainer, "segapp fit --ckpt_path last.ckpt")
    assert "7 steps" in said and "--trainer.max_steps" in said and said.endswith("segapp fit --ckpt_path last.ckpt")
    callback.end = 7
    said = explain_cut(trainer, "segapp fit --ckpt_path last.ckpt")
    assert said.startswith("TimeBudget ended it after 7 steps") and "last.ckpt" not in said


def test_a_timer_without_a_time_has_used_none():
    checkpoint = {"loops": {"fit_loop": {"epoch_progress": {"current": {"processed": 1}}}}, "global_step": 1}
    limits = {"max_epochs": 5, "max_steps": -1, "max_time": "00:01:00:00"}
    assert explain_finished_run({**checkpoint, "callbacks": {"Timer": {}}}, limits) is None
