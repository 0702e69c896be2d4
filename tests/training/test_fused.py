"""torch's optimisers step in one kernel, to the same weights, unless the person has chosen another way."""

from functools import partial

import pytest
import torch
from torch import nn

from segapp.training.module import fuse

MAKERS = {
    "adamw": partial(torch.optim.AdamW, lr=0.01, weight_decay=0.1),
    "sgd": partial(torch.optim.SGD, lr=0.01, momentum=0.9, nesterov=True),
}


def trained(make, fused: bool) -> torch.Tensor:
    """Five steps, with clipping between."""
    torch.manual_seed(0)
    net = nn.Linear(5, 3).double()
    optimizer = make(net.parameters())
    if fused:
        fuse(optimizer, "cpu")
        assert optimizer.param_groups[0]["fused"] is True
    for _ in range(5):
        optimizer.zero_grad()
        net(torch.randn(4, 5, dtype=torch.float64)).square().sum().backward()
        nn.utils.clip_grad_norm_(net.parameters(), 0.1)
        optimizer.step()
    return net.weight.detach()


@pytest.mark.parametrize("name", MAKERS)
def test_the_weights_are_the_same(name):
    torch.testing.assert_close(trained(MAKERS[name], True), trained(MAKERS[name], False), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("chosen", [{"fused": False}, {"foreach": True}, {"differentiable": True}])
def test_what_a_person_chose_stays(chosen):
    optimizer = torch.optim.AdamW(nn.Linear(2, 2).parameters(), **chosen)
    before = dict(optimizer.param_groups[0])
    fuse(optimizer, "cpu")
    assert optimizer.param_groups[0] == before


def test_other_optimisers_and_devices_are_left_alone():
    optimizer = torch.optim.Adamax(nn.Linear(2, 2).parameters())
    fuse(optimizer, "cpu")
    assert "fused" not in optimizer.param_groups[0]
    optimizer = torch.optim.AdamW(nn.Linear(2, 2).parameters())
    fuse(optimizer, "xla")
    assert optimizer.param_groups[0]["fused"] is None


def test_fp16_scaling_and_clipping_still_work():
    """The scaler must undo its scale before gradients are clipped, not within the step."""
    optimizer = torch.optim.AdamW(nn.Linear(2, 2).parameters())
    fuse(optimizer, "cpu")
    assert not getattr(optimizer, "_step_supports_amp_scaling", False)
