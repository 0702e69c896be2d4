from functools import partial

import pytest
import torch
from torch import nn

from segapp.errors import MisuseError
from segapp.models import PlainEncoder, UNet
from segapp.models.rates import find_levels, group_parameters
from segapp.models.smp import SmpEncoder, SmpNet


def plain() -> UNet:
    return UNet(3, 2, partial(PlainEncoder, widths=(4, 6, 8)))


def rates(net, **settings) -> dict[str, float]:
    return {group["name"]: group["lr_scale"] for group in group_parameters(net, 3, **settings)}


def test_each_level_has_its_share_of_the_rate_below_it():
    assert rates(plain(), encoder_lr=0.5, layer_decay=0.1) == pytest.approx(
        {"rest": 1, "encoder.2": 0.5, "encoder.1": 0.05, "encoder.0": 0.005}
    )
    assert set(rates(plain(), encoder_lr=0.5, layer_decay=1.0).values()) == {1, 0.5}


@pytest.mark.parametrize(
    "net", [plain(), SmpNet(3, 2, "fpn", "resnet18"), UNet(3, 2, partial(SmpEncoder, name="mit_b0"))]
)
def test_every_trainable_parameter_is_in_one_group(net):
    groups = group_parameters(net, 3, 0.5, 0.5)
    members = [id(value) for group in groups for value in group["params"]]
    assert sorted(members) == sorted(id(value) for value in net.parameters() if value.requires_grad)


def test_levels_are_where_a_parameter_first_matters():
    levels = find_levels(UNet(3, 2, partial(SmpEncoder, name="resnet18")), 3)
    assert {name.split(".")[2]: level for name, level in levels.items()} == {
        "conv1": 0, "bn1": 0, "layer1": 1, "layer2": 2, "layer3": 3, "layer4": 4,
    }  # fmt: skip
    levels = find_levels(plain(), 3)
    assert {name.split(".")[0] + name.split(".")[1]: level for name, level in levels.items() if name[0] == "e"} == {
        "encoder0": 0,
        "encoder1": 1,
    }
    assert {level for name, level in levels.items() if name.startswith("bottleneck")} == {2}


def test_looking_for_levels_changes_nothing():
    net = UNet(3, 2, partial(SmpEncoder, name="resnet18"))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    find_levels(net, 3)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert net.encoder.training and all(value.grad is None for value in net.parameters())


def test_misuse_is_told():
    with pytest.raises(MisuseError, match=r"model\.encoder_lr .*got 0.*FreezeEncoder"):
        group_parameters(plain(), 3, 0, 1.0)
    with pytest.raises(MisuseError, match=r"model\.layer_decay .*got 1\.5"):
        group_parameters(plain(), 3, 1.0, 1.5)
    with pytest.raises(MisuseError, match="no submodule `encoder`"):
        group_parameters(nn.Sequential(nn.Conv2d(3, 2, 1)), 3, 0.5, 1.0)
