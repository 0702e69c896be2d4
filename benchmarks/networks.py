"""Part `encoder` of training.py: our ResNet-34 U-Net beside smp.Unet; the cost of concatenation."""

import argparse
import multiprocessing
import statistics
from functools import partial

import segmentation_models_pytorch as smp
import torch
from interleaved import CLOCKS, Step, interleaved, raised_by, ratio
from torch import nn
from torch.autograd.graph import saved_tensors_hooks

from segapp.models import BlockStyle, UNet
from segapp.models.options import LayerOrder
from segapp.models.smp import SmpEncoder

WIDTHS = [16, 32, 64, 128, 256]


def ours(encoder: str, order: LayerOrder = "pre") -> nn.Module:
    """Return our U-Net with an encoder of SMP."""
    torch.manual_seed(0)
    named = partial(SmpEncoder, name=encoder)
    net = UNet(1, 2, encoder=named, decoder_widths=WIDTHS, upsample="nearest", decoder_block=BlockStyle(order=order))
    return net.to(memory_format=torch.channels_last)


def theirs(encoder: str) -> nn.Module:
    """Return smp.Unet, whose decoder has the same widths by default."""
    net = smp.Unet(encoder, encoder_weights=None, in_channels=1, classes=2)
    return net.to(memory_format=torch.channels_last)


NETS = {"smp.Unet": theirs, "segapp UNet": ours, "segapp UNet, order=post": partial(ours, order="post")}


def networks(options: argparse.Namespace) -> str:
    """Compare time, saved tensors and peak memory of both networks, in fp32 and channels last, with the same loss."""
    nets = {name: make("resnet34") for name, make in NETS.items()}
    shape = options.batch, 1, options.crop, options.crop
    arms = {name: trained(net, torch.rand(shape)) for name, net in nets.items()}
    seconds = interleaved(arms, options.blocks, options.steps, CLOCKS[options.clock])
    lines = [
        "\n| ResNet-34, equal widths, fp32 | parameters | s forward + backward | ratio | saved tensors | peak RSS |"
    ]
    lines.append("|---|---|---|---|---|---|")
    for name, net in nets.items():
        size = sum(parameter.numel() for parameter in net.parameters())
        beside = ratio(seconds[name], seconds["smp.Unet"])
        median, saved = statistics.median(seconds[name]), kept(net, torch.rand(shape)) / 1e6
        memory = "" if options.no_peak else f"{peak(name, shape) / 1e6:.0f} MB"
        lines.append(f"| {name} | {size:,} | {median:.3f} | {beside} | {saved:.0f} MB | {memory} |")
    return "\n".join(lines)


def peak(name: str, shape: tuple[int, ...]) -> int:
    """Return the bytes by which three steps raise the peak resident memory of a new process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak, (name, shape))


def _peak(name: str, shape: tuple[int, ...]) -> int:
    step = trained(NETS[name]("resnet34"), torch.rand(shape))
    return raised_by(lambda: [step() for _ in range(3)])


def trained(net: nn.Module, *images: torch.Tensor) -> Step:
    def step() -> None:
        net.zero_grad()
        net(*images).float().square().mean().backward()

    return step


def kept(net: nn.Module, *images: torch.Tensor) -> int:
    """Return the bytes that a forward pass saves for its backward pass, without the weights."""
    storages = {}
    weights = {parameter.untyped_storage().data_ptr() for parameter in net.parameters()}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        if (place := tensor.untyped_storage().data_ptr()) not in weights:
            storages[place] = tensor.untyped_storage()  # held, so that no address is used twice
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        output = net(*images)
    total = sum(storage.nbytes() for storage in storages.values())
    del output
    return total


# ---------------------------------------------------------------------------------------------------- concatenation


class Concatenated(nn.Module):
    """The first layer of a decoder block: concatenation, norm, ReLU, convolution."""

    def __init__(self, first: int, second: int, out: int) -> None:
        super().__init__()
        self.norm, self.conv = nn.BatchNorm2d(first + second), nn.Conv2d(first + second, out, 3, padding=1, bias=False)

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return self.conv(self.norm(torch.cat([a, b], 1)).relu())


class Summed(nn.Module):
    """The same function without a copy: a norm and a convolution of each input, then the sum."""

    def __init__(self, first: int, second: int, out: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.BatchNorm2d(first), nn.BatchNorm2d(second)])
        self.convs = nn.ModuleList([nn.Conv2d(n, out, 3, padding=1, bias=False) for n in (first, second)])

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return self.convs[0](self.norms[0](a).relu()) + self.convs[1](self.norms[1](b).relu())


def concatenation(options: argparse.Namespace) -> str:
    """Compare both layers at every level of the default network and of a ResNet decoder."""
    lines = ["\n| level (decoder + encoder → out, size) | summed beside concatenated | saved tensors, MB |"]
    lines.append("|---|---|---|")
    for first, second, out, reduction in ((16, 16, 16, 1), (64, 64, 32, 2), (128, 64, 64, 4), (256, 256, 256, 16)):
        side = max(options.crop // reduction, 1)
        inputs = [torch.rand(options.batch, n, side, side, requires_grad=True) for n in (first, second)]
        inputs = [part.to(memory_format=torch.channels_last) for part in inputs]
        pair = {kind.__name__: kind(first, second, out) for kind in (Concatenated, Summed)}
        for net in pair.values():
            net.to(memory_format=torch.channels_last)
        seconds = interleaved(
            {name: retaining(net, inputs) for name, net in pair.items()}, options.blocks, 1, CLOCKS[options.clock]
        )
        saved = " → ".join(f"{kept(net, *inputs) / 1e6:.1f}" for net in pair.values())
        beside = ratio(seconds["Summed"], seconds["Concatenated"])
        lines.append(f"| {first} + {second} → {out}, {side}² | {beside} | {saved} |")
    return "\n".join(lines)


def retaining(net: nn.Module, inputs: list[torch.Tensor]) -> Step:
    leaves = [part.detach().requires_grad_() for part in inputs]
    return trained(net, *leaves)
