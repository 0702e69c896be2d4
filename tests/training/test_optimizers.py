"""Optimisers step in one kernel and with the rates of their groups; schedulers are stepped when they should be."""

from functools import partial

import pytest
import torch
from torch import nn

from segapp.errors import MisuseError
from segapp.models import PlainEncoder, UNet
from segapp.models.rates import group_parameters
from segapp.schedules import WarmupCosine
from segapp.training.optimizers import (
    check_rates,
    configure_scheduler,
    fuse_steps,
    scale_rates,
    step_plateau_schedulers,
)

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
        fuse_steps(optimizer, "cpu")
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
def test_what_a_user_chose_stays(chosen):
    optimizer = torch.optim.AdamW(nn.Linear(2, 2).parameters(), **chosen)
    before = dict(optimizer.param_groups[0])
    fuse_steps(optimizer, "cpu")
    assert optimizer.param_groups[0] == before


def test_other_optimisers_and_devices_are_left_alone():
    optimizer = torch.optim.Adamax(nn.Linear(2, 2).parameters())
    fuse_steps(optimizer, "cpu")
    assert "fused" not in optimizer.param_groups[0]
    optimizer = torch.optim.AdamW(nn.Linear(2, 2).parameters())
    fuse_steps(optimizer, "xla")
    assert optimizer.param_groups[0]["fused"] is None


def test_fp16_scaling_and_clipping_still_work():
    """The scaler must undo its scale before gradients are clipped, not within the step."""
    optimizer = torch.optim.AdamW(nn.Linear(2, 2).parameters())
    fuse_steps(optimizer, "cpu")
    assert not getattr(optimizer, "_step_supports_amp_scaling", False)


def plain() -> UNet:
    return UNet(3, 2, partial(PlainEncoder, widths=(4, 6, 8)))


def test_a_step_moves_each_level_by_its_own_rate():
    """SGD at rate 0.1, all gradients 1: a weight falls by 0.1 times its scale."""
    net = plain()
    optimizer = torch.optim.SGD(group_parameters(net, 3, 0.5, 0.5), lr=0.1)
    scale_rates(optimizer)
    schedule = WarmupCosine(optimizer, warmup=0.0)
    schedule.span(3)
    check_rates(optimizer, schedule)
    names = {"head.conv.weight": 1, "bottleneck.0.0.conv.weight": 0.5, "encoder.0.0.0.conv.weight": 0.125}
    before = {name: net.get_parameter(name).detach().clone() for name in names}
    for value in net.parameters():
        value.grad = torch.ones_like(value)
    optimizer.step()
    for name, scale in names.items():
        torch.testing.assert_close(before[name] - net.get_parameter(name), torch.full_like(before[name], 0.1 * scale))
    schedule.step()  # half of the cosine
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.05, 0.025, 0.0125, 0.00625])


def test_a_schedule_that_sets_one_rate_for_all_is_refused():
    optimizer = torch.optim.SGD(group_parameters(plain(), 3, 0.5, 1.0), lr=0.1)
    scale_rates(optimizer)
    check_rates(optimizer, torch.optim.lr_scheduler.StepLR(optimizer, 1))
    with pytest.raises(MisuseError, match="OneCycleLR sets one learning rate"):
        check_rates(optimizer, torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=3))


def test_a_plateau_must_monitor_what_is_logged_and_is_stepped_by_it():
    optimizer = torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=1.0)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, factor=0.5)
    with pytest.raises(MisuseError, match=r"'val/loss' .*cannot be monitored"):
        configure_scheduler(plateau, ["val/dice/dataset"])
    assert configure_scheduler(plateau, ["val/loss"])["frequency"] > 1e9  # Lightning never steps it
    for loss in (1.0, 2.0):
        step_plateau_schedulers([plateau], {"val/loss": loss})
    assert optimizer.param_groups[0]["lr"] == 0.5
    step_plateau_schedulers(None, {})
