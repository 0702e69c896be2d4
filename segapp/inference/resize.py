"""Resizes images to the size a network was trained at, and its logits back."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import cv2
import numpy as np

from segapp.errors import SegappError

if TYPE_CHECKING:
    from segapp.inference.readable_image import ReadableImage
    from segapp.inference.runtime import Array, Runtime

MAX_RESIZED_PIXELS = 2**28
"""Most pixels, height x width, of an image that is resized (16,384 x 16,384), as many as `segapp.io` decodes."""


def resize_pixels(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize (H, W, C) to (*size, C) of the same dtype.

    Areas are averaged where it shrinks, values interpolated where it grows.
    """
    height, width = size
    method = cv2.INTER_AREA if height * width < pixels.shape[0] * pixels.shape[1] else cv2.INTER_LINEAR
    made = [
        cv2.resize(np.ascontiguousarray(pixels[..., first : first + 4]), (width, height), interpolation=method)
        for first in range(0, pixels.shape[2], 4)  # OpenCV resizes up to four channels
    ]
    return np.concatenate([part.reshape(height, width, -1) for part in made], axis=2)


def shrink(image: "ReadableImage", size: tuple[int, int]) -> np.ndarray:
    """Shrink the complete image to another size, (*size, C); raise SegappError when it is too large to read."""
    height, width = image.shape[:2]
    if height * width > MAX_RESIZED_PIXELS:
        raise SegappError(
            f"{image.name}: {height} x {width} pixels; this model resizes its images (data.resize), so it reads "
            f"them whole, up to {MAX_RESIZED_PIXELS:,} pixels. Make it smaller, or train with data.crop instead."
        )
    return resize_pixels(image.read_window(0, 0, height, width), size)


def enlarge(runtime: "Runtime", logits: "Array", size: tuple[int, int], rows: int) -> Iterator[tuple[int, "Array"]]:
    """Enlarge logits (K, h', w') bilinearly to `size`. Yields (y, (K, h, W)) from top to bottom, `rows` at a time."""
    height, width = size
    above, below, down = _find_neighbours(height, logits.shape[1])
    left, right, along = _find_neighbours(width, logits.shape[2])
    along = runtime.array(along)
    for y in range(0, height, rows):
        band = slice(y, min(y + rows, height))
        upper, lower = logits[:, above[band]], logits[:, below[band]]
        upper = upper + (lower - upper) * runtime.array(down[band])[:, None]
        yield y, upper[:, :, left] + (upper[:, :, right] - upper[:, :, left]) * along


def _find_neighbours(length: int, source: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the two pixels of `source` beside the centre of each pixel of `length`.

    The third array says how far the centre is towards the second.
    """
    centre = np.clip((np.arange(length) + 0.5) * source / length - 0.5, 0, source - 1)
    first = centre.astype(np.int64)
    return first, np.minimum(first + 1, source - 1), (centre - first).astype(np.float32)
