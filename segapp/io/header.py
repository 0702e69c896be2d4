"""The header of an image file: its size, its values and their meaning."""

from collections.abc import Mapping
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
    """The largest value of a uint8 file: 1, 3 or 15 where it packs several pixels into a byte, what PNM says."""
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
    names: Mapping[int, str] | None = None
    """The names of values, where the file names them, such as segments."""
    orientation: int = 1
    """EXIF's 1 … 8."""
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def upright(self) -> tuple[int, int]:
        """Height, width after orientation."""
        return (self.width, self.height) if self.orientation >= 5 else (self.height, self.width)


def invert_white_is_zero(pixels: np.ndarray, header: Header) -> np.ndarray:
    """Invert the values of a MinIsWhite file, so that larger ones are brighter; return others unchanged."""
    if not header.white_is_zero or pixels.dtype.kind != "u":
        return pixels
    largest = header.white if pixels.dtype == np.uint8 else np.iinfo(pixels.dtype).max
    return (largest - pixels).astype(pixels.dtype, copy=False)
