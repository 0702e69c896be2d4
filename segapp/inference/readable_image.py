"""The contract of images that the engine reads: a name, a shape, and windows."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from segapp.errors import MisuseError

ROUNDING = 1e-3
"""How far resampled values may overshoot [0, 1]."""


class ReadableImage(Protocol):
    """An image for the engine: `segapp.io.Image` under a name, or pixels in memory."""

    @property
    def name(self) -> str:
        """The name of the image in error messages."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Height, width, channels."""

    def read_window(self, y: int, x: int, h: int, w: int) -> np.ndarray:
        """Return (h, w, C) uint8, or float32 in [0, 1]; inside the image only."""


@dataclass(frozen=True)
class ArrayImage:
    """An image in memory: `pixels` is (H, W, C), or (H, W) grey, uint8 or floating point in [0, 1].

    Raises MisuseError for other shapes, kinds and ranges.
    """

    pixels: np.ndarray
    name: str = "the image"

    def __post_init__(self) -> None:
        pixels = self.pixels
        if pixels.ndim == 2:
            object.__setattr__(self, "pixels", pixels[..., None])
        elif pixels.ndim != 3:
            raise MisuseError(f"{self.name}: an image is (H, W, C), or (H, W) grey, got {pixels.shape}.")
        if pixels.dtype == np.uint8:
            return
        if pixels.dtype.kind != "f":
            raise MisuseError(f"{self.name}: pixels are uint8, or floating point in [0, 1], got {pixels.dtype}.")
        if pixels.size and (pixels.min() < -ROUNDING or pixels.max() > 1 + ROUNDING):
            raise MisuseError(
                f"{self.name}: floating-point pixels lie in [0, 1], got {pixels.min():g} … {pixels.max():g}: divide "
                "them by the largest value that the format can hold, such as 255."
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Height, width, channels."""
        return self.pixels.shape

    def read_window(self, y: int, x: int, h: int, w: int) -> np.ndarray:
        """Return (h, w, C), a view."""
        return self.pixels[y : y + h, x : x + w]
