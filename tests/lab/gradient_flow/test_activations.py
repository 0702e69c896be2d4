"""Statistics of activations against numpy, and which submodules are watched."""

import pytest
import torch
from torch import nn

from segapp.lab.gradient_flow import activations
from segapp.lab.gradient_flow.activations import (
    ActivationWatch,
    compute_statistics,
    find_channel_dimension,
    is_compiled,
    list_watched_modules,
)


def test_statistics_by_hand():
    output = torch.tensor([[[[1.0, -1.0]], [[-2.0, 0.0]]], [[[3.0, 1.0]], [[-1.0, -1.0]]]])  # (2, 2, 1, 2)
    mean, variance, dead = compute_statistics(output, 1).tolist()
    assert mean == 0
    assert variance == pytest.approx((1 + 1 + 4 + 0 + 9 + 1 + 1 + 1) / 8)
    assert dead == 0.5  # the second channel is never above 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("piece", [1, 100, 1 << 18])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_statistics_are_numpys_however_they_are_taken(dtype, piece, layout, monkeypatch):
    monkeypatch.setattr(activations, "_CHUNK", piece)
    output = (torch.randn(7, 6, 5, 4, generator=torch.Generator().manual_seed(0)) + 3).to(dtype)
    output[:, 2] = -output[:, 2].abs()
    output[:, 4] = 0
    output[:, 5] = -1
    output[6, 5, 4, 3] = 1e-4  # one value above 0, in the last piece
    reference = output.double().numpy()
    expected = [reference.mean(), reference.var(), (reference.max((0, 2, 3)) <= 0).mean()]
    assert compute_statistics(output.to(memory_format=layout), 1).tolist() == pytest.approx(expected, rel=2e-5)
    assert expected[2] == 2 / 6


def test_a_mean_far_from_zero_does_not_drown_the_variance():
    output = 1e4 + torch.randn(4, 3, 50, 50, generator=torch.Generator().manual_seed(0))
    assert compute_statistics(output, 1)[1].item() == pytest.approx(output.double().numpy().var(), rel=1e-3)


def test_channels_of_tokens_and_of_linear_layers_are_last():
    assert find_channel_dimension(nn.Conv2d(1, 1, 1), torch.zeros(2, 3, 4, 5)) == 1
    assert find_channel_dimension(nn.Linear(1, 1), torch.zeros(2, 4, 4, 3)) == 3
    assert find_channel_dimension(nn.GELU(), torch.zeros(2, 7, 3)) == 2
    tokens = torch.ones(2, 7, 4)
    tokens[..., 0] = -1
    assert compute_statistics(tokens, 2)[2].item() == 0.25


class Net(nn.Module):
    """Runs `late` first, `unused` never, `twice` two times."""

    def __init__(self) -> None:
        super().__init__()
        self.twice = nn.Linear(2, 2)
        self.unused = nn.Linear(2, 2)
        self.act = nn.ReLU()
        self.late = nn.Linear(2, 2)
        self.scale = nn.Parameter(torch.ones(2))

    def forward(self, x):
        return self.twice(self.twice(self.act(self.late(x)))) * self.scale


def test_outputs_come_in_order_of_execution_and_once():
    net = Net()
    watch = ActivationWatch(list_watched_modules(net), compiled=False)
    assert list(watch.modules) == ["twice", "unused", "act", "late"]
    x = torch.randn(4, 2)
    watch.start()
    net(x)
    first = net.twice(net.act(net.late(x)))
    watch.stop()
    net(x + 1)
    assert list(watch.outputs) == ["late", "act", "twice"]
    assert watch.outputs["twice"][0].item() == pytest.approx(first.mean().item())
    assert not any(module._forward_hooks for module in net.modules())


def test_modules_without_parameters_are_watched_where_they_activate():
    net = nn.Sequential(nn.Conv2d(1, 1, 1), nn.MaxPool2d(2), nn.Dropout(), nn.Identity(), nn.Tanh(), nn.BatchNorm2d(1))
    assert list(list_watched_modules(net)) == ["0", "4", "5"]


def test_compiled_parts_are_found_under_their_own_names():
    net = nn.Sequential(nn.Sequential(nn.Linear(1, 1)), nn.Linear(1, 1))
    assert not is_compiled(net)
    wrapped = torch.compile(net, backend="eager")
    assert is_compiled(wrapped) and list(list_watched_modules(wrapped)) == ["0.0", "1"]
    net[0].compile(backend="eager")
    assert is_compiled(net)


def test_an_empty_output_is_no_output():
    watch = ActivationWatch({"0": nn.Linear(2, 2)}, compiled=False)
    watch.start()
    watch.modules["0"](torch.zeros(0, 2))
    watch.stop()
    assert watch.outputs == {}
