"""Count the values of 8-bit pixels."""

import cv2
import numpy as np

FEW = 8
"""Values, beginning at 0, which are compared one by one: faster in masks of few classes."""
EXACT = 2**24
"""Pixels that are counted at a time: OpenCV returns float32, which holds each whole number up to here."""


def count_values(pixels: np.ndarray, channel: int = 0) -> np.ndarray:
    """Return (256,) int64: how often each value occurs in a channel; faster than `np.bincount`.

    Args:
        pixels: (H, W) or (H, W, C) uint8.
        channel: Index of the channel.
    """
    counts = np.zeros(256, np.int64)
    if pixels.size and pixels.ndim == 2 and (top := int(pixels.max())) < FEW:
        counts[: top + 1] = [np.count_nonzero(pixels == value) for value in range(top + 1)]
        return counts
    rows = max(1, EXACT // max(1, pixels.shape[1]))
    for y in range(0, pixels.shape[0] if pixels.size else 0, rows):
        counts += cv2.calcHist([pixels[y : y + rows]], [channel], None, [256], [0, 256]).ravel().astype(np.int64)
    return counts
