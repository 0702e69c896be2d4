"""Normalisation as the first layer of every network, so that all runtimes agree on the input's scale."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from segapp.errors import MisuseError


class Normalise(nn.Module):
    """(image - mean) / std per channel, in float32 also under autocast.

    Input (N, C, H, W): uint8 in [0, 255], or floating point in [0, 1]. `mean` and `std` are in units of [0, 1]
    and travel with the weights, as buffers. Raises MisuseError for another dtype or number of channels.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, channels: int, mean: float | Sequence[float] = 0.5, std: float | Sequence[float] = 0.25) -> None:
        super().__init__()
        self.register_buffer("mean", _expand_channels("mean", mean, channels))
        self.register_buffer("std", _expand_channels("std", std, channels))
        if min(std if isinstance(std, Sequence) else [std]) <= 0:
            raise MisuseError(f"std must be positive numbers, got {std}.")

    def forward(self, images: Tensor) -> Tensor:
        """Normalise images (N, C, H, W), uint8 or float32 in [0, 1], to float32.

        Raise MisuseError for other channels.
        """
        if not torch.jit.is_tracing() and images.shape[1] != self.mean.shape[1]:
            raise MisuseError(f"this network needs images of {self.mean.shape[1]} channels, got {images.shape[1]}.")
        # Subtraction and division are not autocast; a network cast to bf16 still normalises in float32.
        precise = torch.promote_types(self.mean.dtype, torch.float32)
        if images.dtype == torch.uint8:
            images = images.to(precise) / 255
        elif not images.is_floating_point():
            raise MisuseError(f"images must be uint8 in [0, 255] or float32 in [0, 1], got {images.dtype}.")
        normalised = (images.to(precise) - self.mean.to(precise)) / self.std.to(precise)
        return normalised.to(self.mean.dtype)

    def extra_repr(self) -> str:
        """Describe the statistics."""
        return f"mean={self.mean.flatten().tolist()}, std={self.std.flatten().tolist()}"


def _expand_channels(setting: str, value: float | Sequence[float], channels: int) -> Tensor:
    """Expand to (1, C, 1, 1) float32."""
    numbers = list(value) if isinstance(value, Sequence) else [value] * channels
    if len(numbers) != channels:
        raise MisuseError(f"{setting} needs one number, or one for each of {channels} channels, got {value}.")
    return torch.tensor(numbers, dtype=torch.float32).reshape(1, channels, 1, 1)
