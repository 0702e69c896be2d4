"""What others' code raises becomes an error that the user can act on, or stays what it is."""

from pathlib import Path

import pytest
import torch
from jsonargparse import Namespace

from segapp.cli.run_failures import explain_failure, explain_unfit_weights, explain_unrestored
from segapp.errors import MisuseError

SETTINGS = Namespace(ckpt_path="a.ckpt", data=Namespace(window=64))


def explain(error: Exception, old: dict | None = None, new: dict | None = None):
    return explain_failure(error, "test", SETTINGS, Path("runs"), (old, new or {}), processes=1)


def test_settings_that_lightning_checks_late_are_usage_errors():
    found = explain(ValueError("`val_check_interval`\n (9) is too large"))
    assert isinstance(found, MisuseError) and "val_check_interval` (9)" in str(found)


def test_weights_of_another_network_are_reported_by_what_differs():
    error = RuntimeError("Error(s) in loading state_dict for UNet:\n\tsize mismatch")
    found = explain(error, {"net": {"init_args": {"depth": 3}}}, {"net": {"init_args": {"depth": 4}}})
    assert isinstance(found, MisuseError)
    assert "a.ckpt" in str(found) and "model.net.init_args.depth was 3 and is 4" in str(found)


@pytest.mark.parametrize("error", [ValueError("nobody knows"), KeyError("x")])
def test_an_unknown_error_keeps_its_traceback(error):
    assert explain(error) is None


def test_what_is_no_matter_of_weights_is_not_explained():
    assert explain_unfit_weights(RuntimeError("else"), "a.ckpt", {}, {}) is None
    assert explain_unfit_weights(RuntimeError("loading state_dict"), "a.ckpt", None, {}) is None
    assert explain_unrestored(KeyError("x"), "a.ckpt") is None


def test_weights_that_differ_in_no_setting_name_the_weights():
    error = RuntimeError("Error(s) in loading state_dict for Net:\n\tsize mismatch for a.b.")
    found = explain_unfit_weights(error, "a.ckpt", {"net": {}}, {"net": {}})
    assert "a.ckpt" in str(found) and "size mismatch for a.b" in str(found)


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
