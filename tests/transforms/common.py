"""Images with masks, and transforms, for the tests of several modules."""

from typing import Any

import numpy as np

from segapp.transforms import Augmenter


def pair(channels: int, dtype: Any = np.uint8) -> tuple[np.ndarray, np.ndarray]:
    """An image whose every channel says where its mask is 1."""
    y, x = np.mgrid[:40, :40]
    mask = ((y - 14) ** 2 + (x - 24) ** 2 < 60).astype(np.uint8)
    top = 200 if dtype == np.uint8 else 0.8
    return np.repeat((mask * top).astype(dtype)[..., None], channels, axis=2), mask


def tried(transforms: list[Any], channels: int = 3, dtype: Any = np.uint8, fixed: bool = True) -> None:
    Augmenter(transforms, channels, 3).try_once((40, 40), np.dtype(dtype), fixed)
