"""Whether a checkpoint and the run that uses it agree."""

from types import SimpleNamespace

import pytest
import torch

from segapp.cli.resume import (
    explain_cut,
    explain_finished_run,
    explain_unfit_weights,
    explain_unrestored,
    refuse_other_classes,
    restore_splits,
)
from segapp.errors import MisuseError

CHECKPOINT = {
    "loops": {"fit_loop": {"epoch_progress": {"current": {"processed": 2}}}},
    "global_step": 10,
    "callbacks": {"Timer{}": {"time_elapsed": {"train": 3600.0}}},
}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"max_epochs": 2}, "--trainer.max_epochs, say 4"),
        ({"max_steps": 10}, "--trainer.max_steps, say 20"),
        ({"max_time": "00:00:30:00"}, "--trainer.max_time"),
    ],
    ids=str,
)
def test_a_run_that_has_reached_its_end_is_told_by_the_option(changes, named):
    trainer = {"max_epochs": 9, "max_steps": -1, "max_time": None} | changes
    assert named in (explain_finished_run(CHECKPOINT, trainer) or "")


def test_a_run_with_something_left_is_told_nothing():
    trainer = {"max_epochs": 3, "max_steps": 11, "max_time": "00:02:00:00"}
    assert explain_finished_run(CHECKPOINT, trainer) is None
    assert "7 steps" in explain_cut(7, "segapp fit") and "segapp fit" in explain_cut(7, "segapp fit")


def test_what_is_no_matter_of_weights_is_not_explained():
    assert explain_unfit_weights(RuntimeError("else"), "a.ckpt", {}, {}) is None
    assert explain_unfit_weights(RuntimeError("loading state_dict"), "a.ckpt", None, {}) is None
    assert explain_unrestored(KeyError("x"), "a.ckpt") is None


def test_weights_that_differ_in_no_setting_name_the_weights():
    error = RuntimeError("Error(s) in loading state_dict for Net:\n\tsize mismatch for a.b.")
    found = explain_unfit_weights(error, "a.ckpt", {"net": {}}, {"net": {}})
    assert "a.ckpt" in str(found) and "size mismatch for a.b" in str(found)


def test_the_data_must_have_the_classes_of_the_checkpoint():
    refuse_other_classes(("a", "b"), ("a", "b"))
    with pytest.raises(MisuseError, match=r"a, b.* b, a") as raised:
        refuse_other_classes(("a", "b"), ("b", "a"), "fit")
    assert "--init_from" in str(raised.value)


def make_data() -> SimpleNamespace:
    done: list[object] = []
    return SimpleNamespace(done=done, restore_splits=done.append, keep_split=lambda: done.append("own"))


def make_source(seed: int) -> dict:
    split = {"class_path": "segapp.datasets.Fraction", "init_args": {"seed": seed}}
    return {"source": {"class_path": "segapp.datasets.Folder", "init_args": {"split": split}}}


RECORD = {"splits": {"train": ["a"], "val": ["b"], "test": ["c"]}, "config": {"data": make_source(0)}}


def test_the_split_of_a_checkpoint_holds_unless_the_user_asks_for_another():
    data = make_data()
    restore_splits(data, make_source(0), RECORD, new=False)
    restore_splits(data, make_source(1), RECORD, new=True)
    restore_splits(data, make_source(0), RECORD | {"splits": {}}, new=False)
    assert data.done == [RECORD["splits"], "own", "own"]
    with pytest.raises(MisuseError, match="--new_split"):
        restore_splits(data, make_source(1), RECORD, new=False)


def caught(function):
    with pytest.raises(Exception) as found:
        function()
    return found.value


def step(closure=None):
    weight = torch.nn.Parameter(torch.zeros(2))
    weight.grad = torch.ones(2)
    optimizer = torch.optim.AdamW([weight])
    optimizer.state[weight] = {"step": torch.zeros(())}  # no averages
    optimizer.step(closure)


def fail():
    raise KeyError("exp_avg")


def test_an_optimiser_that_stumbles_over_its_state_is_explained():
    message = str(explain_unrestored(caught(step), "runs/a/last.ckpt"))
    assert "runs/a/last.ckpt" in message
    assert "--init_from" in message


def test_other_errors_are_not():
    """The step of an optimiser calls the forward pass: an error in there is none of its state."""
    assert explain_unrestored(caught(lambda: step(fail)), "runs/a/last.ckpt") is None
    assert explain_unrestored(caught(fail), "runs/a/last.ckpt") is None
    assert explain_unrestored(caught(step), None) is None
