"""Pad convolutions as TensorFlow's "same" does, for images whose sides the encoder's stride divides."""

import torch.nn.functional as F
from timm.layers import Conv2dSame
from torch import Tensor, nn


class EvenConv2dSame(nn.Conv2d):
    """A convolution of stride 2 whose output has half the sides of its input, which must be even.

    The padding that TensorFlow's "same" gives such an input does not depend on its size. timm's `Conv2dSame` computes
    it anew from every input, in expressions that `torch.export` takes hours to simplify.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Convolve features (N, C, H, W) with even H and W → (N, K, H / 2, W / 2)."""
        (above, below), (left, right) = (((size - 2) // 2, (size - 1) // 2) for size in self.kernel_size)
        padded = F.pad(features, (left, right, above, below))
        return F.conv2d(padded, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


def replace_same_padding(network: nn.Module) -> bool:
    """Replace timm's convolutions with "same" padding in `network`; return whether it had some.

    The parameters and their names stay. Sides of images must then be divisible by the encoder's stride.
    """
    found = [(name, part) for name, part in network.named_modules() if isinstance(part, Conv2dSame)]
    if not all(part.stride == (2, 2) and part.dilation == (1, 1) and min(part.kernel_size) >= 2 for _, part in found):
        return False
    for name, part in found:
        made = EvenConv2dSame(
            part.in_channels,
            part.out_channels,
            (part.kernel_size[0], part.kernel_size[1]),
            2,
            groups=part.groups,
            bias=part.bias is not None,
            device="meta",
        )
        made.weight, made.bias = part.weight, part.bias
        network.set_submodule(name, made.train(part.training))
    return bool(found)
