"""Sample random directions in the space of a network's weights, of the size of its filters.

Li et al. 2018, "Visualizing the Loss Landscape of Neural Nets": a step is comparable between networks only when it is
measured against the filters it changes, since a ReLU network computes the same after its filters are rescaled.
"""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvTransposeNd

Direction = dict[str, Tensor]
"""One tensor per parameter, under the names and in the shapes of `net.named_parameters()`."""

NORMALISATIONS = (_NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)


def sample_direction(net: nn.Module, seed: int) -> Direction:
    """Sample a Gaussian direction whose every filter has the norm of the network's own; zero for biases and norms.

    A filter computes one output: a row of dimension 0 for ordinary, grouped and depth-wise convolutions and for
    linear layers; for a transposed convolution's weight (C_in, C_out/g, *k) one (group, output channel), over all
    other dimensions. It depends on `seed` and the parameters' order alone: torch's global generator is untouched.
    """
    generator = torch.Generator().manual_seed(seed)
    direction = {}
    for name, parameter in net.named_parameters():
        owner = net.get_submodule(name.rpartition(".")[0])
        noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        made = _normalise_filters(noise, parameter.detach(), owner)
        direction[name] = made.to(parameter.device, parameter.dtype)
    return direction


def _normalise_filters(noise: Tensor, weight: Tensor, owner: nn.Module) -> Tensor:
    if weight.ndim < 2 or isinstance(owner, NORMALISATIONS):
        return torch.zeros_like(noise)
    weight = weight.double().cpu()
    if isinstance(owner, _ConvTransposeNd):
        grouped = (owner.groups, weight.shape[0] // owner.groups, *weight.shape[1:])
        over = (1, *range(3, len(grouped)))
    else:
        grouped, over = tuple(weight.shape), tuple(range(1, weight.ndim))
    sampled = noise.reshape(grouped)
    norms = [torch.linalg.vector_norm(values, dim=over, keepdim=True) for values in (weight.reshape(grouped), sampled)]
    return (sampled * norms[0] / norms[1]).reshape(noise.shape)
