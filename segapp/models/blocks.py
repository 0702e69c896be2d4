"""Blocks of convolutions, in one style for a whole encoder or decoder."""

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from segapp.errors import MisuseError
from segapp.models.options import ActivationKind, LayerOrder, NormKind, ShortSkipMode, require_at_least, require_choice
from segapp.models.skips import Dense, Residual

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    # Never in place: without a norm the block's input is also the short skip's, and backward hooks forbid it.
    "relu": nn.ReLU,
    "leaky_relu": lambda: nn.LeakyReLU(0.01),
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}

NORMS: dict[str, Callable[[int], nn.Module]] = {
    "batch": nn.BatchNorm2d,
    "group": lambda channels: nn.GroupNorm(choose_groups(channels), channels),
    "instance": lambda channels: nn.InstanceNorm2d(channels, affine=True),
    "none": lambda channels: nn.Identity(),
}


def choose_groups(channels: int) -> int:
    """Return the largest number of groups that divides the channels.

    At most 32 (Wu & He 2018), with at least 8 channels each.

    Eight, because at 1×1 a group of one is always 0 and a group of two always ±1: nothing would pass.
    """
    return max((groups for groups in range(1, 33) if channels % groups == 0 and channels // groups >= 8), default=1)


def initialise(conv: nn.Conv2d | nn.ConvTranspose2d, fan_in: int, gain: float) -> None:
    """Sample weights with standard deviation `gain` / √fan_in (He et al. 2015); biases are 0.

    With the gain of its activation a layer keeps the mean square of its input, exactly for ReLU and away from the
    border, so that a plain chain needs no norm to neither grow nor fade. A sum grows: its mean square is that of both
    terms together.
    PyTorch's own counts a transposed convolution's outputs as its fan-in, hence the explicit number.
    """
    nn.init.normal_(conv.weight, std=gain / math.sqrt(fan_in))
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)


@dataclass(frozen=True)
class BlockStyle:
    """How every block of an encoder or decoder is built.

    `order="pre"` is norm, activation, dropout, convolution, with nothing after a sum, in all three short-skip
    modes: networks differ by the skip alone. `order="post"` is the classic convolution, norm, activation,
    dropout, and knows no short skip. A convolution has a bias only without a norm.

    `add` without a norm begins every branch at 0 by its last convolution (Zhang et al. 2019, "Fixup"), so that a block
    begins as its skip. Sampled like the others, a branch would double the mean square in every block: after ten blocks
    on each of nine levels, logits of 10⁶. A norm at the start of the branch bounds what it adds.

    `concat` grows by out_channels // layers per layer, then a 1×1 transition: 0.74 times the weights of `none`
    at two layers and constant width (`match_params` makes up for it).
    """

    short_skip: ShortSkipMode = "none"
    norm: NormKind = "batch"
    activation: ActivationKind = "relu"
    dropout: float = 0.0
    layers: int = 2
    order: LayerOrder = "pre"

    def __post_init__(self) -> None:
        require_choice("short_skip", self.short_skip, ShortSkipMode)
        require_choice("norm", self.norm, NormKind)
        require_choice("activation", self.activation, ActivationKind)
        require_choice("order", self.order, LayerOrder)
        require_at_least("layers", self.layers)
        if not 0 <= self.dropout < 1:
            raise MisuseError(f"dropout is a fraction in [0, 1), got {self.dropout}.")
        if self.order == "post" and self.short_skip != "none":
            raise MisuseError(
                f"order=post needs short_skip=none, got {self.short_skip}: an activation after the sum "
                "would break the identity path; use order=pre."
            )

    @property
    def bias(self) -> bool:
        """Whether a convolution has a bias: a norm would only subtract it again."""
        return self.norm == "none"

    def make_stack(self, in_channels: int, out_channels: int, blocks: int, on_image: bool = False) -> nn.Sequential:
        """Stack `blocks` blocks; `on_image` when the first one sees the image itself."""
        require_at_least("blocks", blocks)
        first = self.make_block(in_channels, out_channels, on_image)
        return nn.Sequential(first, *(self.make_block(out_channels, out_channels) for _ in range(blocks - 1)))

    def make_block(self, in_channels: int, out_channels: int, on_image: bool = False) -> nn.Module:
        """Make a block (N, in_channels, H, W) → (N, out_channels, H, W).

        `on_image`: the first convolution comes bare, as an activation would cut off half of the image's values.
        """
        if self.short_skip == "concat":
            return self._make_dense(in_channels, out_channels, on_image)
        widths = [in_channels] + [out_channels] * self.layers
        layers = [self.make_layer(widths[i], widths[i + 1], bare=on_image and i == 0) for i in range(self.layers)]
        if self.short_skip == "add":
            if self.norm == "none":
                nn.init.zeros_(layers[-1].get_parameter("conv.weight"))
            return Residual(in_channels, out_channels, layers)
        return nn.Sequential(*layers)

    def _make_dense(self, in_channels: int, out_channels: int, on_image: bool) -> Dense:
        growth = max(1, out_channels // self.layers)
        seen = [in_channels + i * growth for i in range(self.layers + 1)]
        layers = [self.make_layer(seen[i], growth, bare=on_image and i == 0) for i in range(self.layers)]
        return Dense(layers, self.make_layer(seen[-1], out_channels, kernel=1))

    def make_layer(self, in_channels: int, out_channels: int, kernel: int = 3, bare: bool = False) -> nn.Sequential:
        """Make one convolution at unchanged size, with its norm, activation and dropout."""
        conv = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, bias=self.bias)
        activated = self.order == "pre" and not bare
        initialise(conv, in_channels * kernel**2, self.gain if activated or self.order == "post" else 1.0)
        if self.order == "post":
            return nn.Sequential(OrderedDict([("conv", conv), *self._make_activation(out_channels)]))
        return nn.Sequential(OrderedDict([*(self._make_activation(in_channels) if activated else []), ("conv", conv)]))

    def make_head(self, in_channels: int, num_classes: int, kernel: int = 1) -> nn.Sequential:
        """Make the head (N, in_channels, H, W) → logits (N, num_classes, H, W).

        Pending norm and activation, then a convolution of an odd side `kernel`.
        """
        conv = nn.Conv2d(in_channels, num_classes, kernel, padding=kernel // 2)
        initialise(conv, in_channels * kernel**2, gain=1.0)
        due = [part for part in self._make_activation(in_channels) if self.order == "pre" and part[0] != "dropout"]
        return nn.Sequential(OrderedDict([*due, ("conv", conv)]))

    @property
    def gain(self) -> float:
        """√2 for ReLU, which halves the mean square, and for those like it; for tanh PyTorch's 5/3."""
        return nn.init.calculate_gain("tanh" if self.activation == "tanh" else "relu")

    def _make_activation(self, channels: int) -> list[tuple[str, nn.Module]]:
        parts: list[tuple[str, nn.Module]] = []
        if self.norm != "none":
            parts.append(("norm", NORMS[self.norm](channels)))
        parts.append(("activation", ACTIVATIONS[self.activation]()))
        if self.dropout:
            parts.append(("dropout", nn.Dropout2d(self.dropout)))
        return parts
