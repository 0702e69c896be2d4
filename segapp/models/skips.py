"""Skip connections: long ones join encoder and decoder, short ones stay inside a block.

Long skips bring back *where* (Ronneberger et al. 2015); short skips keep the gradient alive (He et al. 2016,
"Identity Mappings in Deep Residual Networks"; Huang et al. 2017, "Densely Connected Convolutional Networks").
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from segapp.models.options import LongSkipMode, require_choice


def make_projection(in_channels: int, out_channels: int) -> nn.Module:
    """Make a 1×1 convolution where the channels differ, nothing where they agree.

    It stands in for the identity: unit gain, and no bias (its partner in the sum brings one where needed).
    """
    if in_channels == out_channels:
        return nn.Identity()
    conv = nn.Conv2d(in_channels, out_channels, 1, bias=False)
    nn.init.normal_(conv.weight, std=in_channels**-0.5)
    return conv


class LongSkip(nn.Module):
    """Join the decoder's features with the encoder's of the same level.

    `none` uses nothing of the encoder's features. `add` sums, the encoder's projected where its channels differ,
    so that the decoder's own path is the same in every mode. `concat` puts them side by side.
    An encoder level without channels (mit, convnext, swin at stride 2) is always `none`.

    Input: decoder (N, channels, H, W), encoder (N, skip_channels, H, W). Output (N, out_channels, H, W).
    """

    def __init__(self, mode: LongSkipMode, channels: int, skip_channels: int) -> None:
        super().__init__()
        self.mode: LongSkipMode = require_choice("long_skip", mode, LongSkipMode) if skip_channels else "none"
        self.out_channels = channels + skip_channels if self.mode == "concat" else channels
        if self.mode == "add":
            self.project = make_projection(skip_channels, channels)

    def forward(self, decoder: Tensor, encoder: Tensor) -> Tensor:
        """Join the features of the decoder and the encoder, both of one size (N, C, H, W)."""
        if self.mode == "add":
            return decoder + self.project(encoder)
        if self.mode == "concat":
            return torch.cat([decoder, encoder], dim=1)
        return decoder

    def extra_repr(self) -> str:
        """Describe the mode."""
        return repr(self.mode)


class Residual(nn.Module):
    """`project(x) + branch(x)`, and nothing after the sum.

    Where the shapes agree the projection is the identity, so the Jacobian is exactly identity + the branch's.
    """

    def __init__(self, in_channels: int, out_channels: int, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.project = make_projection(in_channels, out_channels)
        self.branch = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        """Add the branch to the projected features (N, C, H, W)."""
        return self.project(features) + self.branch(features)


class Dense(nn.Module):
    """Every layer sees the block's input and all earlier layers' outputs; `transition` sees them all too."""

    def __init__(self, layers: Sequence[nn.Module], transition: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.transition = transition

    def forward(self, features: Tensor) -> Tensor:
        """Concatenate the features (N, C, H, W) with the output of every layer."""
        for layer in self.layers:
            features = torch.cat([features, layer(features)], dim=1)
        return self.transition(features)
