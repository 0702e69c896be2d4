"""How a gradient fares on its way back through a freshly initialised network, block by block.

What is measured is the RMS gradient with respect to every block's *output*; the norms of weight gradients would mix
in how many weights a layer has. What is expected, for wide layers with independent weights: one layer of norm,
activation φ and k×k convolution multiplies the mean square of the gradient by

    χ = C_out · k² · Var(w) · E[φ′²]   (and by E[1/σ²] with a norm)

(Glorot & Bengio 2010; He et al. 2015; Schoenholz et al. 2017), a plain block by the product of its layers' χ, a
residual one by 1 + that product, a dense one by what `compute_dense_factor` says.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segapp.datasets.microscopy import draw_image
from segapp.errors import MisuseError
from segapp.models import BlockStyle, PlainEncoder, UNet
from segapp.models.skips import Dense, Residual

Init = Literal["default", "he", "xavier"]
"""PyTorch's own, He et al. 2015 (2 / fan_in), Glorot & Bengio 2010 (2 / (fan_in + fan_out))."""

SLOPES: dict[type[nn.Module], Callable[[Tensor], Tensor]] = {
    nn.ReLU: lambda values: (values > 0).float(),
    nn.Tanh: lambda values: 1 - values.tanh() ** 2,
}
"""φ′ of the activations whose expectation is compared."""


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
    """How large everything is."""

    width: int = 32
    """Channels of every block."""
    layers: int = 1
    """Convolutions in a block."""
    unet_blocks: int = 2
    """Blocks on each level of a U-Net, on either side."""
    size: int = 32
    """Height and width of the pictures."""
    batch: int = 8


def measure(variant: DepthVariant, scale: Scale) -> list[dict[str, Any]]:
    """Measure one row per block, in order of execution.

    Its RMS gradient, RMS output and, for a chain, the expected values.

    `expected` is the RMS gradient relative to that of the last block.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(variant.seed)
        net = build(variant, scale)
        initialise(net, variant.init)
    images, masks = make_images(variant.seed, scale)
    blocks = find_blocks(net)
    watched = (part for part in net.modules() if type(part) in SLOPES or isinstance(part, nn.BatchNorm2d))
    inputs: dict[nn.Module, list[Tensor]] = {part: [] for part in watched}
    with keep_outputs(blocks) as outputs, keep_inputs(inputs):
        F.cross_entropy(net(images), masks).backward()
    expected = expected_profile(list(blocks.values()), inputs) if variant.net == "chain" else [None] * len(blocks)
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


def build(variant: DepthVariant, scale: Scale) -> UNet:
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


def initialise(net: nn.Module, init: Init) -> None:
    """Draw all convolutions anew; norms stay at 1 and 0."""
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


def compute_fans(conv: nn.Conv2d | nn.ConvTranspose2d) -> tuple[int, int]:
    """Count the terms in one output value, and the output values that one input value enters.

    Strides as in the U-Net.
    """
    taps = conv.weight[0, 0].numel()
    if isinstance(conv, nn.ConvTranspose2d):  # kernel and stride agree: one term per input channel
        return conv.in_channels, conv.out_channels * taps
    return conv.in_channels * taps, conv.out_channels * taps


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
    """Name → the block's output, whose gradient is kept."""
    outputs: dict[str, Tensor] = {}

    def keep(name: str, module: nn.Module, inputs: Any, output: Tensor) -> None:
        output.retain_grad()
        outputs[name] = output

    with ExitStack() as hooks:
        for name, block in blocks.items():
            hooks.callback(block.register_forward_hook(partial(keep, name)).remove)
        yield outputs


@contextmanager
def keep_inputs(modules: dict[nn.Module, list[Tensor]]) -> Iterator[None]:
    """Fill in what each module was given."""
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


# ---------------------------------------------------------------------------------------------- what is expected


def expected_profile(blocks: list[nn.Module], inputs: dict[nn.Module, list[Tensor]]) -> list[float]:
    """Compute the expected RMS gradients of block outputs, relative to the last one's.

    They follow from the weights' variances and the forward pass.
    """
    profile = [1.0]
    for block in reversed(blocks[1:]):
        profile.append(profile[-1] * compute_block_factor(block, inputs) ** 0.5)
    return profile[::-1]


def compute_block_factor(block: nn.Module, inputs: dict[nn.Module, list[Tensor]]) -> float:
    """Compute the mean square of the gradient at a block's input divided by that at its output, for constant width."""
    if isinstance(block, Dense):
        return compute_dense_factor(*compute_dense_chis(block, inputs))
    layers = block.branch if isinstance(block, Residual) else block
    product = float(np.prod([compute_chi(layer, inputs) for layer in layers.children()]))
    return 1 + product if isinstance(block, Residual) else product


def compute_dense_chis(block: Dense, inputs: dict[nn.Module, list[Tensor]]) -> tuple[list[list[float]], list[float]]:
    """Compute χ of every layer, and of the transition, towards each source.

    The block's input, then the earlier layers.
    """
    *convolutions, last = (part for part in block.modules() if isinstance(part, nn.Conv2d))
    growths = [conv.out_channels for conv in convolutions]
    edges = np.cumsum([0, last.in_channels - sum(growths), *growths]).tolist()
    sources = [slice(start, end) for start, end in pairwise(edges)]
    layers = [
        [compute_chi(layer, inputs, part) for part in sources[: index + 1]] for index, layer in enumerate(block.layers)
    ]
    return layers, [compute_chi(block.transition, inputs, part) for part in sources]


def compute_dense_factor(layers: list[list[float]], transition: list[float]) -> float:
    """Compute the factor of a dense block: all sources reach the transition, and each also enters every later layer.

    `layers[i][j]` is χ from the output of layer i back to source j, `transition[j]` from the block's output.
    """
    arriving = list(transition)  # mean squares at the block's input and at each layer's output
    for index in reversed(range(len(layers))):
        for source, value in enumerate(layers[index]):
            arriving[source] += value * arriving[index + 1]
    return arriving[0]


EVERY_CHANNEL = slice(None)


def compute_chi(layer: nn.Module, inputs: dict[nn.Module, list[Tensor]], channels: slice = EVERY_CHANNEL) -> float:
    """Compute C_out · k² · Var(w) · E[φ′²] · E[1/σ²] of one layer towards some input channels.

    1 for each missing factor.
    """
    value = 1.0
    for part in layer.children():
        if isinstance(part, nn.Conv2d):
            _, fan_out = compute_fans(part)
            value *= fan_out * float(part.weight.detach()[:, channels].square().mean())
        elif isinstance(part, nn.BatchNorm2d):
            variance = inputs[part][0].var((0, 2, 3), correction=0)
            value *= float((part.weight.detach() ** 2 / (variance + part.eps))[channels].mean())
        elif type(part) in SLOPES:
            value *= float(SLOPES[type(part)](inputs[part][0][:, channels]).square().mean())
    return value
