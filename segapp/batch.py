"""The samples and batches that flow from the data to the network."""

from __future__ import annotations

from typing import TYPE_CHECKING, NotRequired, TypedDict

if TYPE_CHECKING:  # reading and writing images needs no torch
    import numpy as np
    from torch import Tensor

IGNORE_INDEX = 255
"""The mask value that is neither learnt nor scored; class indices are 0 … K-1 with K ≤ 255."""


class Sample(TypedDict):
    """One crop or image before batching."""

    image: np.ndarray  # (C, H, W) uint8 in [0, 255] or float32 in [0, 1]; not normalised
    mask: np.ndarray  # (H, W) uint8: 0 … K-1, or IGNORE_INDEX
    name: str  # path relative to the images' folder, without suffix
    size: tuple[int, int]  # stored height, width
    looked_for: NotRequired[np.ndarray]  # (K,) bool: classes that the mask would show; without it, all
    pixel_size: NotRequired[tuple[float, float]]  # height, width in µm, where the file states them; of evaluation


class Batch(TypedDict):
    """Samples of one size, stacked."""

    image: Tensor  # (N, C, H, W) uint8 in [0, 255] or float32 in [0, 1]; not normalised
    mask: Tensor  # (N, H, W) uint8: 0 … K-1, or IGNORE_INDEX
    name: list[str]
    size: Tensor  # (N, 2) int64: stored height, width
    looked_for: NotRequired[Tensor]  # (N, K) bool: classes that each mask would show; without it, all
    pixel_size: NotRequired[list[tuple[float, float] | None]]  # height, width in µm; of evaluation
