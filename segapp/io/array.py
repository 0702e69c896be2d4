"""Converts an image in memory to the channels and the range of a network, as is done for image files."""

import numpy as np

from segapp.errors import MisuseError
from segapp.io.image import convert_channels
from segapp.io.intensity import TOLERANCE, compute_bounds, scale_values
from segapp.spec import Intensity


def scale_array(pixels: np.ndarray, channels: int, intensity: Intensity) -> np.ndarray:
    """Return (H, W, channels) uint8 or float32 in [0, 1], as `Image.read` does for a file of these values.

    Args:
        pixels: (H, W) grey or (H, W, C). Integers are stored values. Floating point in [0, 1] is taken as scaled
            already, unless the intensity is computed from every image (percentile, zscore), which any scale suits.
        channels: Number of channels of the network; grey becomes 3 by repetition, RGB becomes 1 by luminance.
        intensity: How stored values become the network's range.

    Raises:
        MisuseError: Another shape, type or number of channels; values that are not finite, or that the intensity does
            cannot scale.
    """
    pixels = _require_image(pixels)
    if pixels.shape[2] != channels:
        if {pixels.shape[2], channels} != {1, 3}:
            raise MisuseError(f"the array has {pixels.shape[2]} channels, the network takes {channels}.")
        pixels = convert_channels(pixels, channels)
    scaled = pixels.dtype.kind == "f" and pixels.min() >= -TOLERANCE and pixels.max() <= 1 + TOLERANCE
    if intensity.kind == "stored":
        if pixels.dtype == np.uint8:
            return pixels
        if not scaled:
            raise MisuseError(
                f"the array holds {pixels.dtype} of {pixels.min():g} … {pixels.max():g}; the network takes uint8, or "
                "floating point in [0, 1]: divide by the largest value that the image can hold."
            )
    if intensity.kind in ("stored", "range") and scaled:
        return np.clip(pixels.astype(np.float32), 0, 1)
    return scale_values(pixels, *compute_bounds(intensity, [pixels.reshape(-1, channels)]))


def _require_image(pixels: np.ndarray) -> np.ndarray:
    """Return the pixels as (H, W, C); raise MisuseError for what is no image."""
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or not pixels.size:
        raise MisuseError(f"an image is (H, W, C), or (H, W) grey, and not empty; the array is {pixels.shape}.")
    if pixels.dtype.kind not in "uif":
        raise MisuseError(f"an image holds integers or floating point numbers; the array holds {pixels.dtype}.")
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise MisuseError("the array holds values that are NaN or infinite; replace them with numbers.")
    return pixels
