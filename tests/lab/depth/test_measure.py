"""Gradients of block outputs, against derivatives taken another way."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from segapp.lab.depth.measure import (
    DepthVariant,
    Scale,
    build_network,
    compute_rms,
    find_blocks,
    initialise_weights,
    keep_outputs,
    make_images,
    measure_gradients,
)

CHAIN = DepthVariant("chain", "he", "relu", 6, "none", "none", "none", 0)
SMALL = Scale(width=8, size=32, batch=2)


def test_the_gradient_of_a_block_is_that_of_the_loss_by_finite_differences():
    torch.manual_seed(0)  # of some weights a step would cross a kink of ReLU
    net = build_network(CHAIN, SMALL).double()
    initialise_weights(net, "he")
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
    rows = measure_gradients(CHAIN, SMALL)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert [row["block"] for row in rows] == [f"bottleneck.{index}" for index in range(6)]
    assert rows[-1]["expected"] == 1 and rows == measure_gradients(CHAIN, SMALL)
    assert rows != measure_gradients(replace(CHAIN, seed=1), SMALL)


def test_a_unet_is_measured_from_encoder_to_decoder():
    variant = replace(CHAIN, net="unet", depth=3, long="concat", short="add", norm="batch")
    rows = measure_gradients(variant, replace(SMALL, unet_blocks=2))
    stacks = ["encoder.0", "encoder.1", "bottleneck", "decoder.1.block", "decoder.0.block"]
    assert [row["block"] for row in rows] == [f"{stack}.{index}" for stack in stacks for index in range(2)]
    assert all(row["rms_gradient"] > 0 and row["expected"] is None for row in rows)


@pytest.mark.parametrize(("init", "factor"), [("default", 1 / 3), ("he", 2.0), ("xavier", 1.0)])
def test_initialisations_have_their_variances(init, factor):
    """C k² Var(w) of a layer of constant width: 1/3 for PyTorch's default, 2 for He, 1 for Xavier."""
    torch.manual_seed(0)
    conv = nn.Conv2d(64, 64, 3)
    initialise_weights(conv, init)
    assert 64 * 9 * conv.weight.var().item() == pytest.approx(factor, rel=0.02)
    assert (conv.bias.abs().max() > 0) == (init == "default")


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
    gradients = [row["rms_gradient"] for row in measure_gradients(variant, Scale(width=32, size=32, batch=2))]
    assert low < (gradients[0] / gradients[-1]) ** (1 / 19) < high
