"""A direction's filters have the norms of the network's, for every kind of layer."""

import pytest
import torch
from torch import nn

from segapp.lab.landscape.directions import sample_direction


@pytest.mark.parametrize(
    "layer",
    [nn.Conv2d(4, 6, 3), nn.Conv2d(4, 6, 3, groups=2), nn.Conv2d(4, 4, 3, groups=4), nn.Linear(5, 3)],
    ids=["ordinary", "grouped", "depth-wise", "linear"],
)
def test_every_output_has_a_filter_of_its_own_norm(layer):
    direction = sample_direction(layer, seed=1)
    for made, weight in zip(direction["weight"], layer.weight.detach(), strict=True):
        assert float(made.square().sum()) == pytest.approx(float(weight.square().sum()), rel=1e-5)
    assert not direction["bias"].any()


def test_a_transposed_convolution_has_a_filter_per_group_and_output_channel():
    layer = nn.ConvTranspose2d(4, 6, 2, groups=2)  # weight (4, 3, 2, 2)
    with torch.no_grad():
        layer.weight.fill_(1.0)
        layer.weight[2:, 1] = 3.0  # the second group's output channel 1: 2 inputs · 4 taps · 9 = 72
    made = sample_direction(layer, seed=1)["weight"]
    for group in (0, 1):
        for channel in range(3):
            squares = float(made[2 * group : 2 * group + 2, channel].square().sum())
            assert squares == pytest.approx(72 if (group, channel) == (1, 1) else 8, rel=1e-5)
    assert float(made[0, 0].square().sum()) != pytest.approx(4, rel=1e-3)  # not per input channel


def test_norms_and_biases_stay_and_nothing_else_is_touched():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.LayerNorm([2, 3, 3]), nn.PReLU(2))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    state = torch.random.get_rng_state()
    direction = sample_direction(net, seed=3)
    assert [name for name, value in direction.items() if value.any()] == ["0.weight"]
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    again, other = (sample_direction(net, seed) for seed in (3, 4))
    assert torch.equal(direction["0.weight"], again["0.weight"])
    assert not torch.equal(direction["0.weight"], other["0.weight"])
