"""Encoders: features of an image, level by level."""

from collections.abc import Sequence

from torch import Tensor, nn

from segapp.errors import MisuseError
from segapp.init_args import Recorded
from segapp.models.blocks import BlockStyle
from segapp.models.options import expand_levels, require_at_least

DEFAULT_STYLE = BlockStyle()
"""The style of blocks when none is given: no short skip, batch norm, ReLU, two layers."""


class Encoder(Recorded, nn.Module):
    """The contract of an encoder for `UNet`; everything is listed finest level first.

    `forward(images)`: normalised images (N, C, H, W) → features, one tensor per level. All but the last are
    offered to the long skips, the last enters the bottleneck. Level i flows through the submodule named `str(i)`.
    """

    out_channels: list[int]
    """Channels per level; 0 where there is nothing to skip; the last one as the bottleneck leaves it."""
    reductions: list[int]
    """How many times smaller than the image each level is."""
    decoder_widths: list[int]
    """Decoder channels per level (one fewer than levels) by default."""
    block: BlockStyle = DEFAULT_STYLE
    """How its blocks are built. A decoder's are built the same way by default."""
    mean: float | list[float] = 0.5
    std: float | list[float] = 0.25
    """Mean and std of the image that the encoder's weights expect, in units of [0, 1]."""

    def forward(self, images: Tensor) -> list[Tensor]:
        """Compute the features of images (N, C, H, W), finest first."""
        raise NotImplementedError

    def make_bottleneck(self) -> nn.Module:
        """Make the bottleneck after the last level, at its resolution: (N, C, h, w) → (N, out_channels[-1], h, w)."""
        return nn.Identity()


class PlainEncoder(Encoder):
    """Levels of convolution blocks with 2×2 max-pooling in between, as in the first U-Net.

    `widths` are the channels per level, the last being the bottleneck's. A single width makes a net without
    pooling, all in the bottleneck. `block` is the style of every block. Sizes are rounded up when halved, so images
    may have any size.
    """

    def __init__(
        self,
        in_channels: int,
        widths: Sequence[int] = (32, 64, 128, 256, 512),
        blocks_per_level: int | Sequence[int] = 1,
        block: BlockStyle = DEFAULT_STYLE,
    ) -> None:
        super().__init__()
        if not widths:
            raise MisuseError("widths needs at least one number, the bottleneck's channels, got an empty list.")
        self.out_channels = [require_at_least("widths", width) for width in widths]
        self.reductions = [2**level for level in range(len(widths))]
        self.decoder_widths = self.out_channels[:-1]
        self.block = block
        self._in_channels = [in_channels, *self.out_channels[:-1]]
        self._blocks = expand_levels("blocks_per_level", blocks_per_level, len(widths))
        for level in range(len(widths) - 1):
            self.add_module(str(level), self._make_level(level))
        self.pool = nn.MaxPool2d(2, ceil_mode=True)

    def _make_level(self, level: int) -> nn.Module:
        channels = self._in_channels[level], self.out_channels[level]
        return self.block.make_stack(*channels, self._blocks[level], on_image=level == 0)

    def make_bottleneck(self) -> nn.Module:
        """Make the blocks of the deepest level."""
        return self._make_level(len(self.out_channels) - 1)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Compute the features of images (N, C, H, W), finest first."""
        features = [images]
        for level in range(len(self.out_channels) - 1):
            features[-1] = self.get_submodule(str(level))(features[-1])
            features.append(self.pool(features[-1]))
        return features
