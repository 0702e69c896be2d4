"""Objects say how they were made, in the words of a config."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from segapp.checkpoints.building import build_network
from segapp.datasets import Cells, Folder, Fraction, Indices
from segapp.errors import MisuseError
from segapp.init_args import Recorded, construct, describe
from segapp.losses import DeepSupervision, Dice
from segapp.models import BlockStyle, PlainEncoder, UNet
from segapp.spec import Intensity


class Net(Recorded, nn.Module):
    def __init__(self, width: int, factory: object = None, **others: object) -> None:
        super().__init__()


class Wider(Net):
    def __init__(self, width: int = 8) -> None:
        super().__init__(2 * width)


HERE = __name__


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.int64(3), 3),
        ({0: (1, np.float64(0.5))}, {0: [1, 0.5]}),
        (Path("a/b"), "a/b"),
        (Intensity("percentile", 1.0, 99.0), {"kind": "percentile", "low": 1.0, "high": 99.0}),
        (torch.optim.AdamW, {"class_path": "torch.optim.AdamW"}),
        (
            partial(PlainEncoder, widths=(4, 8)),
            {"class_path": "segapp.models.PlainEncoder", "init_args": {"widths": [4, 8]}},
        ),
        (Net(3, None, a=1), {"class_path": f"{HERE}.Net", "init_args": {"width": 3, "factory": None, "a": 1}}),
        (Wider(), {"class_path": f"{HERE}.Wider", "init_args": {"width": 8}}),  # not what it gives its base
        (construct(nn.Conv2d, 1, 2, 3, bias=False), None),
    ],
    ids=str,
)
def test_a_description_is_what_a_config_holds(value, expected):
    found = describe(value)
    if expected is None:
        assert found["class_path"] == "torch.nn.Conv2d"
        assert (found["init_args"]["kernel_size"], found["init_args"]["bias"]) == (3, False)
    else:
        assert found == expected
        json.dumps(found)
        assert type(found) in (int, str, dict)


def test_losses_and_data_sets_say_how_they_were_made():
    assert describe(DeepSupervision(Dice("image")))["init_args"]["loss"]["init_args"]["reduce"] == "image"
    found = describe(Folder("x", ["a", "b"], split=Fraction(0.3), mask=Indices({0: 0, 255: 1})))
    assert found["class_path"] == "segapp.datasets.Folder"
    assert found["init_args"]["split"]["init_args"]["val"] == 0.3
    assert found["init_args"]["mask"]["init_args"]["values"] == {0: 0, 255: 1}
    assert found["init_args"]["exclude"] == []
    assert describe(Cells("x", size=48))["init_args"]["size"] == 48


def test_a_network_is_built_again_from_its_description():
    net = UNet(2, 3, partial(PlainEncoder, widths=(4, 8), block=BlockStyle("add", "group")), "add", mean=[0.1, 0.2])
    again = build_network("x", describe(net), ())
    again.load_state_dict(net.state_dict())
    images = torch.rand(1, 2, 8, 8)
    assert torch.equal(again.eval()(images), net.eval()(images))


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (nn.Conv2d(1, 1, 1), "torch.nn.modules.conv.Conv2d"),
        (Net(1, lambda: None), "lambda"),
        (construct(nn.Sequential, nn.ReLU()), "Sequential"),
        (torch.zeros(1), "Tensor"),
    ],
    ids=["foreign", "function", "unnamed", "tensor"],
)
def test_what_has_no_description_is_named(value, named):
    with pytest.raises(MisuseError, match=named):
        describe(value)


def test_a_wrong_argument_is_still_the_constructors_own_error():
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'width'"):
        Net()  # type: ignore[call-arg]
