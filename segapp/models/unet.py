"""The U-Net: an encoder, a bottleneck, a decoder, and the skips between them."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segapp.errors import MisuseError
from segapp.init_args import Recorded
from segapp.models.blocks import BlockStyle, initialise
from segapp.models.encoders import Encoder, PlainEncoder
from segapp.models.normalise import Normalise
from segapp.models.options import LongSkipMode, UpsampleMode, expand_levels, require_at_least, require_choice
from segapp.models.skips import LongSkip


class Upsample(nn.Module):
    """(N, in_channels, h, w) → (N, out_channels, *size), linear, so that the residual path stays one.

    `transpose` is the 2×2 transposed convolution of stride 2. The others interpolate after a 1×1 convolution, the
    squeeze: both are linear and commute, and before the interpolation it costs a quarter. A transposed convolution
    computes the four pixels of a 2×2 square by weights of their own, which shows in the logits as a checkerboard,
    trained or not (Odena et al. 2016; docs/models.md). Without `squeeze` all channels are interpolated.
    """

    def __init__(
        self, mode: UpsampleMode, in_channels: int, out_channels: int, style: BlockStyle, squeeze: bool = True
    ) -> None:
        super().__init__()
        self.mode: UpsampleMode = require_choice("upsample", mode, UpsampleMode)
        self.conv: nn.Module = nn.Identity()
        if mode == "transpose" and not squeeze:
            raise MisuseError(
                "squeeze=false needs upsample=nearest or bilinear: a transposed convolution is a squeeze."
            )
        if squeeze:
            conv: nn.Conv2d | nn.ConvTranspose2d
            if mode == "transpose":
                conv = nn.ConvTranspose2d(in_channels, out_channels, 2, stride=2, bias=style.bias)
            else:
                conv = nn.Conv2d(in_channels, out_channels, 1, bias=style.bias)
            # Kernel and stride agree: every output value has exactly one term per input channel.
            initialise(conv, in_channels, style.gain if style.order == "post" else 1.0)
            self.conv = conv

    def forward(self, features: Tensor, size: torch.Size) -> Tensor:
        """Upsample features (N, C, h, w) to `size`."""
        features = self.conv(features)
        if self.mode == "bilinear":
            return F.interpolate(features, size, mode="bilinear", align_corners=False)
        # Nearest keeps the first h of h + 1 rows, and all of h: an exported graph needs no branch.
        fixed = not (torch.compiler.is_exporting() or torch.jit.is_tracing())
        if self.mode == "transpose" and fixed and features.shape[-2:] == size:
            return features
        return F.interpolate(features, size, mode="nearest")


class DecoderLevel(nn.Module):
    """Upsample to the encoder's size at this level, join, convolve."""

    def __init__(self, upsample: Upsample, skip: LongSkip, block: nn.Module) -> None:
        super().__init__()
        self.upsample = upsample
        self.skip = skip
        self.block = block

    def forward(self, features: Tensor, encoder: Tensor) -> Tensor:
        """Upsample the features, join them with the encoder's, and apply the block."""
        features = self.upsample(features, encoder.shape[-2:])
        return self.block(self.skip(features, encoder))


class UNet(Recorded, nn.Module):
    """Images (N, C, H, W), uint8 or float32 in [0, 1], of any size → logits (N, K, H, W).

    `encoder` makes the encoder from the number of input channels. `long_skip` is one mode or one per level,
    finest first; `decoder_widths` and `decoder_blocks_per_level` likewise (None: the widths that the encoder
    suggests). `decoder_block` is the style of the decoder's blocks and of the head (None: the encoder's own style, so
    that the norm is set once; of an SMP encoder, whose blocks are its own, the default style).
    `squeeze` brings features to the decoder's width by a 1×1 convolution before they are upsampled; without it all of
    their channels are upsampled and joined, as in SMP: more computing, but the block's convolutions see them all.
    `head_kernel` is the side of the head's convolution: 1 as in the paper (Ronneberger et al. 2015), 3 as in SMP, whose
    ninefold weights let logits grow faster in the first hundred steps of Adam (docs/models.md).
    `mean` and `std` (None: the encoder's own; 0.5 and 0.25 unless pretrained) are kept with the weights.

    With `deep_supervision=n`, n coarser decoder levels give logits too: in training the result is a list of
    n + 1, finest first, each at its level's size. In evaluation and export it is always one tensor.

    Submodules: `normalise`, `encoder.i`, `bottleneck`, `decoder.i` (at the resolution of `encoder.i`, so it runs
    from the last to 0), `head`, and `auxiliary.i` for the decoder's level i + 1.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        encoder: Callable[[int], Encoder] = PlainEncoder,
        long_skip: LongSkipMode | Sequence[LongSkipMode] = "concat",
        upsample: UpsampleMode = "nearest",
        decoder_block: BlockStyle | None = None,
        decoder_widths: Sequence[int] | None = None,
        decoder_blocks_per_level: int | Sequence[int] = 1,
        deep_supervision: int = 0,
        head_kernel: int = 1,
        squeeze: bool = True,
        mean: float | Sequence[float] | None = None,
        std: float | Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        require_at_least("in_channels", in_channels)
        require_at_least("num_classes", num_classes)
        made = encoder(in_channels)
        style = decoder_block or made.block
        levels = len(made.out_channels) - 1
        widths = expand_levels("decoder_widths", decoder_widths or made.decoder_widths, levels)
        for width in widths:
            require_at_least("decoder_widths", width)
        self.long_skip = expand_levels("long_skip", long_skip, levels)
        self.normalise = Normalise(in_channels, made.mean if mean is None else mean, made.std if std is None else std)
        self.encoder = made
        self.bottleneck = made.make_bottleneck()
        blocks = expand_levels("decoder_blocks_per_level", decoder_blocks_per_level, levels)
        inputs = [*widths[1:], made.out_channels[-1]]
        self.decoder = nn.ModuleList()
        for level, width in enumerate(widths):
            skip = LongSkip(self.long_skip[level], width if squeeze else inputs[level], made.out_channels[level])
            block = style.make_stack(skip.out_channels, width, blocks[level])
            self.decoder.append(DecoderLevel(Upsample(upsample, inputs[level], width, style, squeeze), skip, block))
        if require_at_least("head_kernel", head_kernel) % 2 == 0:
            raise MisuseError(f"head_kernel must be odd, so that logits lie on the pixels; got {head_kernel}.")
        self.head = style.make_head([*widths, made.out_channels[-1]][0], num_classes, head_kernel)
        if not 0 <= deep_supervision <= max(levels - 1, 0):
            raise MisuseError(
                f"deep_supervision must be 0 … {max(levels - 1, 0)} in a decoder of {levels} levels, "
                f"got {deep_supervision}."
            )
        self.auxiliary = nn.ModuleList(
            style.make_head(width, num_classes, head_kernel) for width in widths[1 : 1 + deep_supervision]
        )

    def forward(self, images: Tensor) -> Tensor | list[Tensor]:
        """Compute logits (N, K, H, W), or a list of them, finest first, in training with deep supervision."""
        if not (torch.compiler.is_compiling() or torch.jit.is_tracing()):
            self._check_size(images)
        *skips, deepest = self.encoder(self.normalise(images))
        decoded = [self.bottleneck(deepest)]
        for level in range(len(self.decoder) - 1, -1, -1):
            decoded.insert(0, self.decoder[level](decoded[0], skips[level]))
        logits = self.head(decoded[0])
        if not self.training or not self.auxiliary or torch.compiler.is_exporting():
            return logits
        return [logits, *(head(decoded[level]) for level, head in enumerate(self.auxiliary, start=1))]

    def _check_size(self, images: Tensor) -> None:
        """Refuse what a norm cannot work on: a single value per channel at the deepest level."""
        count, _, height, width = images.shape
        if min(count, height, width) < 1:
            raise MisuseError(f"images need at least one pixel, got a batch of {count} of {height}×{width}.")
        reduction = self.encoder.reductions[-1]
        if max(height, width) > reduction:
            return
        if any(isinstance(part, nn.InstanceNorm2d) for part in self.modules()):
            raise MisuseError(
                "instance normalisation needs more than one position at the deepest level: the smallest input is "
                f"{reduction + 1}×1 pixels, got {height}×{width}; use a larger crop, fewer levels or norm=group."
            )
        if count == 1 and any(isinstance(part, nn.BatchNorm2d) and part.training for part in self.modules()):
            raise MisuseError(
                "batch normalisation cannot train on one image that is a single position at the deepest level "
                f"({height}×{width} pixels, reduced {reduction} times): use a batch of 2 or more, a crop with a "
                f"side of at least {reduction + 1}, or norm=group."
            )

    def extra_repr(self) -> str:
        """Return the long skips, for `repr`."""
        return f"long_skip={self.long_skip}"
