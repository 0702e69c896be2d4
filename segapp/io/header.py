"""The header of an image file, and the geometry of EXIF orientation."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

Window = tuple[int, int, int, int]
"""y, x, height, width."""


@dataclass(frozen=True)
class Header:
    """An image file without its pixels; height and width are as stored, before `orientation` is applied."""

    format: str
    """The name of the file format, for messages."""
    height: int
    width: int
    bands: int
    """Stored values per pixel: 1 for palette files, alpha counted."""
    dtype: np.dtype[Any]
    """The dtype of decoded values; never bool."""
    white: int = 255
    """The largest value of a uint8 file: 1, 3 or 15 where it packs several pixels into a byte."""
    white_is_zero: bool = False
    """TIFF's MinIsWhite: the values are inverted, 0 is white."""
    alpha: int | None = None
    """The band that is alpha, by the format or its tags."""
    transparent: tuple[int, ...] | None = None
    """The stored values of transparent pixels, where the file has such a colour instead of alpha."""
    nodata: float | None = None
    """The stored value of pixels that were not measured."""
    has_mask: bool = False
    """Whether another page of the file marks the measured pixels."""
    pages_advice: str | None = None
    """How to save pages as channels, where the bands are pages that may be slices, moments or channels; else None."""
    lossy: str | None = None
    """The name of the codec, where it changes values."""
    palette: np.ndarray | None = None
    """(256, 3) or, with transparency, (256, 4) uint8."""
    orientation: int = 1
    """EXIF's 1 … 8."""
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def upright(self) -> tuple[int, int]:
        """Height, width after orientation."""
        return (self.width, self.height) if self.orientation >= 5 else (self.height, self.width)


def turn_upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Apply EXIF `orientation` to stored (H, W[, C]) pixels; a view.

    >>> turn_upright(np.array([[1, 2, 3]]), 6).tolist()
    [[1], [2], [3]]
    """
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def turn_bright(pixels: np.ndarray, header: Header) -> np.ndarray:
    """Turn the values of a MinIsWhite file round, so that larger ones are brighter; others stay."""
    if not header.white_is_zero or pixels.dtype.kind != "u":
        return pixels
    largest = header.white if pixels.dtype == np.uint8 else np.iinfo(pixels.dtype).max
    return (largest - pixels).astype(pixels.dtype, copy=False)


def find_stored_window(header: Header, window: Window) -> Window:
    """Locate an upright window in the stored pixels; `turn_upright` brings its pixels back."""
    y, x, h, w = window
    height, width = header.upright
    if header.orientation in (2, 3, 6, 7):
        x = width - x - w
    if header.orientation in (3, 4, 7, 8):
        y = height - y - h
    return (x, y, w, h) if header.orientation >= 5 else (y, x, h, w)
