"""TensorFlow's "same" padding for even sides."""

import torch
from timm.layers import Conv2dSame
from torch import nn

from segapp.models.same_padding import EvenConv2dSame, replace_same_padding


def test_even_sides_are_convolved_as_timm_does():
    parts = [Conv2dSame(4, 8, 3, stride=2, bias=True), Conv2dSame(8, 8, 5, stride=2, groups=8, bias=False)]
    network = nn.Sequential(*parts).requires_grad_(False)
    image = torch.rand(2, 4, 12, 20)
    expected, state = network(image), network.state_dict()
    assert replace_same_padding(network)
    assert all(isinstance(part, EvenConv2dSame) for part in network)
    assert torch.equal(network(image), expected)
    assert network.state_dict().keys() == state.keys() and network[0].weight is parts[0].weight


def test_what_is_not_of_stride_2_stays():
    network = nn.Sequential(Conv2dSame(4, 4, 3, stride=2), Conv2dSame(4, 4, 3, stride=2, dilation=2))
    assert not replace_same_padding(network)
    assert not any(isinstance(part, EvenConv2dSame) for part in network)
    assert not replace_same_padding(nn.Sequential(nn.Conv2d(4, 4, 3)))
