"""Measure how a gradient changes on its way back through a freshly initialised network, block by block.

What is measured is the RMS gradient with respect to every block's *output*; the norms of weight gradients would mix in
how many weights a layer has. `expectation.py` computes what is expected.
"""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segapp.datasets.microscopy import draw_image
from segapp.errors import MisuseError
from segapp.lab.depth.expectation import SLOPES, compute_expected_profile, compute_fans
from segapp.models import BlockStyle, PlainEncoder, UNet

Init = Literal["default", "he", "xavier"]
"""PyTorch's default, He et al. 2015 (2 / fan_in), Glorot & Bengio 2010 (2 / (fan_in + fan_out))."""


@dataclass(frozen=True)
class DepthVariant:
    """One network of the study."""

    net: Literal["chain", "unet"]
    """`chain`: blocks of constant width in a row, without pooling. `unet`: the same blocks in a U-Net."""
    init: Init
    activation: Literal["relu", "tanh"]
    depth: int
    """Blocks of a chain; levels of a U-Net, the bottleneck's included."""
    short: Literal["none", "add", "concat"]
    long: Literal["none", "add", "concat"]
    norm: Literal["none", "batch"]
    seed: int


@dataclass(frozen=True)
class Scale:
    """Sizes of the networks and images."""

    width: int = 32
    """Channels of every block."""
    layers: int = 1
    """Convolutions in a block."""
    unet_blocks: int = 2
    """Blocks on each level of a U-Net, on either side."""
    size: int = 32
    """Height and width of the images."""
    batch: int = 8


def measure_gradients(variant: DepthVariant, scale: Scale) -> list[dict[str, Any]]:
    """Measure one row per block, in order of execution.

    Its RMS gradient, RMS output and, for a chain, the expected values.

    `expected` is the RMS gradient relative to that of the last block.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(variant.seed)
        net = build_network(variant, scale)
        initialise_weights(net, variant.init)
    images, masks = make_images(variant.seed, scale)
    blocks = find_blocks(net)
    watched = (part for part in net.modules() if type(part) in SLOPES or isinstance(part, nn.BatchNorm2d))
    inputs: dict[nn.Module, list[Tensor]] = {part: [] for part in watched}
    with keep_outputs(blocks) as outputs, keep_inputs(inputs):
        F.cross_entropy(net(images), masks).backward()
    expected = (
        compute_expected_profile(list(blocks.values()), inputs) if variant.net == "chain" else [None] * len(blocks)
    )
    return [
        {
            **asdict(variant),
            "position": position,
            "block": name,
            "rms_gradient": compute_rms(_get_gradient(outputs[name])),
            "rms_output": compute_rms(outputs[name].detach()),
            "expected": expected[position],
        }
        for position, name in enumerate(blocks)
    ]


def build_network(variant: DepthVariant, scale: Scale) -> UNet:
    """Build the network, not yet initialised."""
    if variant.activation not in ("relu", "tanh"):
        raise MisuseError(
            f"the expected gradient is known for the activations relu and tanh only, got {variant.activation}."
        )
    chain = variant.net == "chain"
    style = BlockStyle(variant.short, variant.norm, variant.activation, layers=scale.layers)
    levels, blocks = (1, variant.depth) if chain else (variant.depth, scale.unet_blocks)
    widths = [scale.width] * levels
    encoder = partial(PlainEncoder, widths=widths, blocks_per_level=blocks, block=style)
    # Transposed convolutions, as in the profiles of docs/skip-connections.md.
    return UNet(1, 2, encoder, variant.long, upsample="transpose", decoder_blocks_per_level=blocks)


def initialise_weights(net: nn.Module, init: Init) -> None:
    """Sample the weights of all convolutions; norms stay at 1 and 0."""
    for conv in net.modules():
        if not isinstance(conv, nn.Conv2d | nn.ConvTranspose2d):
            continue
        if init == "default":
            conv.reset_parameters()
            continue
        fan_in, fan_out = compute_fans(conv)
        variance = 2 / fan_in if init == "he" else 2 / (fan_in + fan_out)
        nn.init.normal_(conv.weight, std=variance**0.5)
        if conv.bias is not None:
            nn.init.zeros_(conv.bias)


def make_images(seed: int, scale: Scale) -> tuple[Tensor, Tensor]:
    """Make (N, 1, H, W) uint8 images of cells and (N, H, W) int64 masks from a seed."""
    streams = [np.random.Generator(np.random.PCG64([seed, index])) for index in range(scale.batch)]
    pairs = [draw_image(scale.size, 1, False, stream) for stream in streams]
    images = torch.stack([torch.from_numpy(image.transpose(2, 0, 1).copy()) for image, _ in pairs])
    return images, torch.stack([torch.from_numpy(mask).long() for _, mask in pairs])


def find_blocks(net: UNet) -> "OrderedDict[str, nn.Module]":
    """Find every block of encoder, bottleneck and decoder by its name, in order of execution."""
    levels = len(net.decoder)
    stacks = [f"encoder.{level}" for level in range(levels)]
    stacks += ["bottleneck", *(f"decoder.{level}.block" for level in reversed(range(levels)))]
    return OrderedDict(
        (f"{stack}.{name}", block) for stack in stacks for name, block in net.get_submodule(stack).named_children()
    )


@contextmanager
def keep_outputs(blocks: "OrderedDict[str, nn.Module]") -> Iterator[dict[str, Tensor]]:
    """Collect each block's output by name, with its gradient kept."""
    outputs: dict[str, Tensor] = {}

    def store_output(name: str, module: nn.Module, inputs: Any, output: Tensor) -> None:
        output.retain_grad()
        outputs[name] = output

    with ExitStack() as hooks:
        for name, block in blocks.items():
            hooks.callback(block.register_forward_hook(partial(store_output, name)).remove)
        yield outputs


@contextmanager
def keep_inputs(modules: dict[nn.Module, list[Tensor]]) -> Iterator[None]:
    """Collect the input of each module."""
    with ExitStack() as hooks:
        for module, seen in modules.items():
            keep = partial(lambda seen, module, inputs: seen.append(inputs[0].detach()), seen)
            hooks.callback(module.register_forward_pre_hook(keep).remove)
        yield


def compute_rms(values: Tensor) -> float:
    """Return the root of the mean square, computed in float64."""
    return float(values.double().square().mean().sqrt())


def _get_gradient(output: Tensor) -> Tensor:
    return torch.zeros_like(output) if output.grad is None else output.grad
