"""Computes the weights with which overlapping windows are averaged."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

Blend = Literal["gaussian", "cosine", "none"]


def compute_profile(blend: Blend, length: int) -> np.ndarray:
    """Compute (length,) float32 in (0, 1]: how much weight a window has from one of its edges to the other.

    `gaussian` has a standard deviation of an eighth of the window (nnU-Net, https://doi.org/10.1038/s41592-020-01008-z),
    `cosine` is the Hann window between its zeros, `none` weighs every pixel alike.
    """
    position = (np.arange(length) + 0.5) / length  # symmetric, and never on an edge
    shapes = {
        "gaussian": np.exp(-0.5 * ((position - 0.5) * 8) ** 2),
        "cosine": np.sin(np.pi * position) ** 2,
        "none": np.ones(length),
    }
    return shapes[blend].astype(np.float32)


def compute_weights(blend: Blend, length: int, window: int, starts: Sequence[int]) -> np.ndarray:
    """Compute (windows, min(window, length)) float32: each window's weight at its pixels along one axis.

    Weights sum to 1 at every pixel.

    The grid is separable, so the weight of a pixel in two dimensions is the product of its row's and its column's: no
    sum of weights is kept or divided by. The last window may reach beyond `length`.
    """
    inside = min(window, length)
    weights = compute_profile(blend, window)[:inside].astype(np.float64)
    total = np.zeros(starts[-1] + inside)
    for start in starts:
        total[start : start + inside] += weights
    return np.stack([weights / total[start : start + inside] for start in starts]).astype(np.float32)
