"""Maps stored values to [0, 1]: affine for each channel, then clipped."""

from collections.abc import Iterable

import numpy as np

from segapp.errors import SegappError
from segapp.spec import Intensity

TOLERANCE = 1e-3
"""How far values may lie outside [0, 1]: interpolation and half precision overshoot a little."""
BAND = 2**20
"""Values that are scaled at once."""

Bounds = tuple[np.ndarray, np.ndarray]
"""The stored values, per channel, that become 0 and 1: two (C,) float64."""


def require_range(pixels: np.ndarray, name: str) -> None:
    """Raise SegappError unless pixels are what networks take: uint8, or floating point in [0, 1]."""
    if pixels.dtype == np.uint8:
        return
    if pixels.dtype.kind != "f":
        raise SegappError(f"{name}: holds {pixels.dtype}; networks take uint8, or float32 in [0, 1].")
    low, high = float(pixels.min(initial=0)), float(pixels.max(initial=0))
    if not -TOLERANCE <= low <= high <= 1 + TOLERANCE:  # NaN fails too
        raise SegappError(
            f"{name}: holds floating point values of {low:g} … {high:g}; networks take uint8 in 0 … 255, or float32 in "
            "[0, 1]. Divide by the largest possible value, or convert to uint8."
        )


def compute_bounds(intensity: Intensity, samples: Iterable[np.ndarray]) -> Bounds:
    """Return the stored values, per channel, that become 0 and 1: two (C,) float64.

    `samples` are (n, C) measured pixels of the image or volume: all of them or an even overview, never one window.
    """
    if intensity.kind == "range":
        return np.array([intensity.low]), np.array([intensity.high])
    values = np.concatenate(list(samples))
    if not len(values):
        return np.zeros(values.shape[1]), np.zeros(values.shape[1])
    ends = [_compute_ends(intensity, values[:, channel]) for channel in range(values.shape[1])]  # one at a time: memory
    low, high = np.array(ends, np.float64).T
    return low, high


def _compute_ends(intensity: Intensity, values: np.ndarray) -> tuple[float, float]:
    if intensity.kind == "percentile":
        low, high = np.percentile(values, [intensity.low, intensity.high])
        return float(low), float(high)
    mean, deviation = values.mean(dtype=np.float64), values.std(dtype=np.float64)
    return float(mean - 4 * deviation), float(mean + 4 * deviation)


def scale_values(pixels: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Scale to (…, C) float32 in [0, 1]; a channel of one value (low = high) becomes 0.

    Computed in double precision, a band of rows at a time: all of a large image would take four times its memory.
    """
    width = np.where(high > low, high - low, np.inf)
    scaled = np.empty(pixels.shape, np.float32)
    rows = max(1, BAND * len(pixels) // max(1, pixels.size))
    for first in range(0, len(pixels), rows):
        band = slice(first, first + rows)
        scaled[band] = (pixels[band] - low) / width
    return np.clip(scaled, 0, 1, out=scaled)
