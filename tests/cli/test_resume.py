"""Errors of torch while a checkpoint's state is restored or first used are told apart from others."""

import pytest
import torch

from segapp.cli.resume import explain_unrestored


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
