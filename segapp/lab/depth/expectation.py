"""Compute how a gradient is expected to change on its way back through a block.

For wide layers with independent weights one layer of norm, activation φ and k×k convolution multiplies the mean square
of the gradient by

    χ = C_out · k² · Var(w) · E[φ′²]   (and by E[1/σ²] with a norm)

(Glorot & Bengio 2010; He et al. 2015; Schoenholz et al. 2017), a plain block by the product of its layers' χ, a
residual one by 1 + that product, a dense one by `compute_dense_factor`.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from torch import Tensor, nn

from segapp.models.skips import Dense, Residual

SLOPES: dict[type[nn.Module], Callable[[Tensor], Tensor]] = {
    nn.ReLU: lambda values: (values > 0).float(),
    nn.Tanh: lambda values: 1 - values.tanh() ** 2,
}
"""φ′ of the activations whose expectation is compared."""


def compute_fans(conv: nn.Conv2d | nn.ConvTranspose2d) -> tuple[int, int]:
    """Count the terms in one output value, and the output values that one input value enters.

    Strides as in the U-Net.
    """
    taps = conv.weight[0, 0].numel()
    if isinstance(conv, nn.ConvTranspose2d):  # kernel and stride agree: one term per input channel
        return conv.in_channels, conv.out_channels * taps
    return conv.in_channels * taps, conv.out_channels * taps


def compute_expected_profile(blocks: list[nn.Module], inputs: dict[nn.Module, list[Tensor]]) -> list[float]:
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
