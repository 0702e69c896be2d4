"""Expected factors of gradients, by hand and by random blocks."""

import math

import pytest
import torch
from torch import nn

from segapp.lab.depth.expectation import (
    compute_block_factor,
    compute_chi,
    compute_dense_factor,
    compute_expected_profile,
    compute_fans,
)
from segapp.lab.depth.measure import initialise_weights, keep_inputs
from segapp.models.blocks import BlockStyle


def test_fans_of_a_transposed_convolution_are_its_terms():
    """With ones everywhere an output value is its number of terms, and an input's gradient its number of outputs."""
    for conv, size in ((nn.Conv2d(3, 5, 3, bias=False), 3), (nn.ConvTranspose2d(3, 5, 2, stride=2, bias=False), 1)):
        nn.init.ones_(conv.weight)
        image = torch.ones(1, 3, size, size)
        assert conv(image).max().item() == compute_fans(conv)[0]
    wide = torch.ones(1, 3, 9, 9, requires_grad=True)
    conv = nn.Conv2d(3, 5, 3, bias=False)
    nn.init.ones_(conv.weight)
    conv(wide).sum().backward()
    assert wide.grad.max().item() == compute_fans(conv)[1]


def test_chi_by_hand():
    """ReLU passes a quarter of these values: χ = 4 · 9 · mean(w²) · 1/4."""
    layer = BlockStyle(norm="none").make_layer(2, 4)
    nn.init.constant_(layer.conv.weight, 0.5)
    inputs = {layer.activation: [torch.tensor([1.0, -1.0, -2.0, -3.0]).reshape(4, 1, 1, 1)]}
    assert compute_chi(layer, inputs) == pytest.approx(4 * 9 * 0.25 * 0.25)


def test_chi_of_tanh_and_of_a_norm_by_hand():
    layer = BlockStyle(norm="batch", activation="tanh").make_layer(1, 1, kernel=1)
    nn.init.constant_(layer.conv.weight, 3.0)
    spread = torch.tensor([-2.0, 2.0]).reshape(2, 1, 1, 1)  # variance 4
    inputs = {layer.norm: [spread], layer.activation: [torch.tensor([[0.0], [1.0]])]}
    slope = (1 + (1 - math.tanh(1) ** 2) ** 2) / 2
    assert compute_chi(layer, inputs) == pytest.approx(9 * slope / (4 + layer.norm.eps), rel=1e-6)


def test_dense_factors_by_hand():
    assert compute_dense_factor([], [0.5]) == 0.5
    assert compute_dense_factor([[3.0]], [0.5, 0.25]) == 0.5 + 3 * 0.25
    # The first layer also feeds the second: at its output arrive 0.25 + 7 · 0.125.
    assert compute_dense_factor([[3.0], [5.0, 7.0]], [0.5, 0.25, 0.125]) == 0.5 + 5 * 0.125 + 3 * (0.25 + 7 * 0.125)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("short", ["none", "add", "concat"])
def test_a_wide_random_block_multiplies_a_random_gradient_as_expected(short, layers, activation):
    """On a torus of independent values, where the theory's assumptions hold."""
    torch.manual_seed(0)
    block = BlockStyle(short_skip=short, norm="none", activation=activation, layers=layers).make_block(64, 64)
    initialise_weights(block, "xavier")
    for conv in block.modules():
        if isinstance(conv, nn.Conv2d):
            conv.padding_mode = "circular"
    kinds = (nn.ReLU, nn.Tanh)
    inputs = {part: [] for part in block.modules() if isinstance(part, kinds)}
    features = torch.randn(4, 64, 12, 12, requires_grad=True)
    with keep_inputs(inputs):
        output = block(features)
    cotangent = torch.randn(output.shape)
    output.backward(cotangent)
    measured = features.grad.square().mean() / cotangent.square().mean()
    assert measured.item() == pytest.approx(compute_block_factor(block, inputs), rel=0.04)


def test_an_expected_profile_is_the_product_of_the_blocks_that_follow():
    style = BlockStyle(norm="none")
    blocks = [style.make_block(4, 4) for _ in range(3)]
    inputs = {}
    for block, share in zip(blocks, (9.0, 0.25, 1.0), strict=True):
        for layer in block:
            nn.init.constant_(layer.conv.weight, math.sqrt(1 / 36))  # 4 · 9 · w² = 1
            inputs[layer.activation] = [torch.tensor([[1.0]] * 4 if share != 0.25 else [[1.0], [-1], [-1], [-1]])]
    assert compute_expected_profile(blocks, inputs) == pytest.approx([0.25, 1, 1])
