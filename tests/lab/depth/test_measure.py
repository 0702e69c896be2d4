"""Gradients of block outputs, and what is expected of them, against derivatives taken another way."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from segapp.lab.depth.measure import (
    DepthVariant,
    Scale,
    build,
    compute_block_factor,
    compute_chi,
    compute_dense_factor,
    compute_fans,
    compute_rms,
    expected_profile,
    find_blocks,
    initialise,
    keep_inputs,
    keep_outputs,
    make_images,
    measure,
)
from segapp.models.blocks import BlockStyle

CHAIN = DepthVariant("chain", "he", "relu", 6, "none", "none", "none", 0)
SMALL = Scale(width=8, size=32, batch=2)


def test_the_gradient_of_a_block_is_that_of_the_loss_by_finite_differences():
    torch.manual_seed(0)  # of some weights a step would cross a kink of ReLU
    net = build(CHAIN, SMALL).double()
    initialise(net, "he")
    images, masks = make_images(0, SMALL)
    blocks = find_blocks(net)
    with keep_outputs(blocks) as outputs:
        nn.functional.cross_entropy(net(images), masks).backward()
    before = outputs["bottleneck.2"].detach().clone()
    gradient = outputs["bottleneck.2"].grad
    step = 1e-6 * torch.randn(before.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def loss(change):
        hook = blocks["bottleneck.2"].register_forward_hook(lambda module, inputs, output: output + change)
        with torch.no_grad():
            value = nn.functional.cross_entropy(net(images), masks).item()
        hook.remove()
        return value

    assert (loss(step) - loss(-step)) / 2 == pytest.approx((gradient * step).sum().item(), rel=1e-4)
    assert compute_rms(gradient) == pytest.approx(gradient.square().mean().sqrt().item())


def test_rows_are_blocks_in_order_and_leave_torchs_generator_alone():
    torch.manual_seed(3)
    state = torch.random.get_rng_state()
    rows = measure(CHAIN, SMALL)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert [row["block"] for row in rows] == [f"bottleneck.{index}" for index in range(6)]
    assert rows[-1]["expected"] == 1 and rows == measure(CHAIN, SMALL)
    assert rows != measure(replace(CHAIN, seed=1), SMALL)


def test_a_unet_is_measured_from_encoder_to_decoder():
    variant = replace(CHAIN, net="unet", depth=3, long="concat", short="add", norm="batch")
    rows = measure(variant, replace(SMALL, unet_blocks=2))
    stacks = ["encoder.0", "encoder.1", "bottleneck", "decoder.1.block", "decoder.0.block"]
    assert [row["block"] for row in rows] == [f"{stack}.{index}" for stack in stacks for index in range(2)]
    assert all(row["rms_gradient"] > 0 and row["expected"] is None for row in rows)


@pytest.mark.parametrize(("init", "factor"), [("default", 1 / 3), ("he", 2.0), ("xavier", 1.0)])
def test_initialisations_have_their_variances(init, factor):
    """C k² Var(w) of a layer of constant width: 1/3 for PyTorch's default, 2 for He, 1 for Xavier."""
    torch.manual_seed(0)
    conv = nn.Conv2d(64, 64, 3)
    initialise(conv, init)
    assert 64 * 9 * conv.weight.var().item() == pytest.approx(factor, rel=0.02)
    assert (conv.bias.abs().max() > 0) == (init == "default")


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
    initialise(block, "xavier")
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
    assert expected_profile(blocks, inputs) == pytest.approx([0.25, 1, 1])


@pytest.mark.parametrize(
    ("init", "short", "low", "high"),
    [
        ("default", "none", 0.30, 0.50),  # 1/√6 = 0.41
        ("xavier", "none", 0.60, 0.75),  # 1/√2 = 0.71, less what the border takes
        ("he", "none", 0.90, 1.10),  # 1
        ("he", "add", 1.30, 1.50),  # √2: addition explodes without a norm
    ],
)
def test_chains_vanish_and_explode_at_the_rates_of_the_textbook(init, short, low, high):
    """Gain per block towards the input, over 20 blocks with ReLU."""
    variant = replace(CHAIN, init=init, short=short, depth=20)
    gradients = [row["rms_gradient"] for row in measure(variant, Scale(width=32, size=32, batch=2))]
    assert low < (gradients[0] / gradients[-1]) ** (1 / 19) < high
