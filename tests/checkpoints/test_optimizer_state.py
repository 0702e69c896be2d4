"""The state of an optimiser fits the network it is restored into, or is refused before torch computes with it."""

from copy import deepcopy

import pytest
import torch
from torch import nn, optim

from segapp.checkpoints.optimizer_state import require_fitting_state
from segapp.errors import MisuseError

OPTIMIZERS = [
    *(optim.Adadelta, optim.Adagrad, optim.Adam, optim.AdamW, optim.Adamax, optim.ASGD, optim.NAdam, optim.RAdam),
    *(optim.RMSprop, optim.Rprop, optim.SGD, optim.Adafactor),
]
SCHEDULERS = [
    lambda optimizer: optim.lr_scheduler.CosineAnnealingLR(optimizer, 3),
    lambda optimizer: optim.lr_scheduler.MultiStepLR(optimizer, [1, 2]),
    lambda optimizer: optim.lr_scheduler.ReduceLROnPlateau(optimizer),
    lambda optimizer: optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=5),
]


def make(kind=optim.AdamW, schedule=SCHEDULERS[0]):
    net = nn.Conv2d(2, 3, 3).to(memory_format=torch.channels_last)
    optimizer = kind([{"params": [net.weight]}, {"params": [net.bias], "lr": 0.01}], lr=0.1)
    return net, optimizer, schedule(optimizer)


def trained(*parts):
    net, optimizer, scheduler = make(*parts)
    net(torch.ones(1, 2, 4, 4)).sum().backward()
    optimizer.step()
    scheduler.step(*([0.5] if isinstance(scheduler, optim.lr_scheduler.ReduceLROnPlateau) else []))
    return deepcopy(optimizer.state_dict()), deepcopy(scheduler.state_dict())


def check(state, schedule, *parts):
    _, optimizer, scheduler = make(*parts)
    require_fitting_state([optimizer], [scheduler], [state], [schedule])
    optimizer.load_state_dict(state)
    scheduler.load_state_dict(schedule)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_every_optimiser_resumes(kind):
    check(*trained(kind), kind)


@pytest.mark.parametrize("schedule", SCHEDULERS)
def test_every_scheduler_resumes(schedule):
    check(*trained(optim.SGD, schedule), optim.SGD, schedule)


def test_an_optimiser_that_has_not_stepped_yet_resumes():
    _, optimizer, scheduler = make()
    check(optimizer.state_dict(), scheduler.state_dict())


def overlapping(value):
    """A tensor of the right shape whose elements are all the last one in memory: a fused kernel writes beyond it."""
    return torch.zeros(value.numel()).as_strided(value.shape, (0,) * value.ndim, value.numel() - 1)


@pytest.mark.parametrize("name", ["exp_avg", "exp_avg_sq"])
@pytest.mark.parametrize(
    "wrong",
    [overlapping, lambda value: value[:1], lambda value: value[None], lambda value: torch.zeros(())],
    ids=["overlapping", "smaller", "larger", "scalar"],
)
def test_averages_lie_in_memory_as_their_parameters_do(name, wrong):
    state, schedule = trained()
    state["state"][0][name] = wrong(state["state"][0][name])
    with pytest.raises(MisuseError, match=f"{name} of a parameter"):
        check(state, schedule)


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state["state"][0].update(step=torch.zeros(0)),
        lambda state: state["state"][0].update(step="x"),
        lambda state: state["state"].update({7: state["state"][0]}),
        lambda state: state["param_groups"].pop(),
        lambda state: state["param_groups"][0].update(params=[0, 1]),
        lambda state: state["param_groups"][0].update(params=[1]),
        lambda state: state["param_groups"][0].update(params=["x"]),
        lambda state: state["param_groups"][0].pop("params"),
        lambda state: state["param_groups"][0].update(lr="x"),
        lambda state: state["param_groups"][0].update(lr=torch.zeros(3)),
        lambda state: state["param_groups"][0].update(betas=[0.9]),
        lambda state: state["param_groups"][0].update(betas=0.9),
        lambda state: state["param_groups"][0].update(eps=[]),
    ],
)
def test_an_optimiser_of_another_kind_is_refused(change):
    state, schedule = trained()
    change(state)
    with pytest.raises(MisuseError, match="does not fit"):
        check(state, schedule)


@pytest.mark.parametrize(
    "change",
    [
        {"step": 3},
        {"get_lr": "x"},
        {"optimizer": None},
        {"last_epoch": "x"},
        {"T_max": []},
        {"base_lrs": [0.1]},
        {"_last_lr": ["x", "y"]},
    ],
    ids=str,
)
def test_a_schedule_of_another_kind_is_refused(change):
    state, schedule = trained()
    with pytest.raises(MisuseError, match="schedule"):
        check(state, schedule | change)


def test_so_many_optimisers_and_schedulers_as_there_are():
    state, schedule = trained()
    _, optimizer, scheduler = make()
    for states, schedules in (([], [schedule]), ([state] * 2, [schedule]), ([state], [])):
        with pytest.raises(MisuseError, match=f"{len(states)} optimisers"):
            require_fitting_state([optimizer], [scheduler], states, schedules)
