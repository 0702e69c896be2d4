"""Draw overlays: an image tinted and outlined by class."""

import numpy as np

from segapp.inference.readable_image import ReadableImage
from segapp.spec import Spec

MAX_SIDE = 4096
"""Pixels a side up to which an overlay shows every pixel; of a larger image it shows every second, third, … one."""

STRIPE = 2**24
"""Pixels of a large image that are read at once."""

TINT = 0.35
"""Weight of the class's colour inside a region; on its contour it is 1."""


def draw_overlay(image: ReadableImage, indices: np.ndarray, spec: Spec, step: int = 1) -> np.ndarray:
    """Return the image tinted by class, each region outlined in its class's colour: (h, w, 3) uint8.

    The background class, where the spec has one, is left unchanged.

    Args:
        image: All its pixels.
        indices: (h, w) uint8 class indices of every `step`-th pixel of every `step`-th row; beyond `MAX_SIDE` pixels a
            side they are thinned further.
        spec: The classes and their colours.
        step: See `indices`.
    """
    further = -(-max(indices.shape) // MAX_SIDE)
    pixels = _to_rgb(_subsample(image, step * further))
    indices = np.ascontiguousarray(indices[::further, ::further])
    strength = np.where(_find_outlines(indices, max(1, round(min(indices.shape) / 400))), 1.0, TINT).astype(np.float32)
    if spec.background is not None:
        strength[indices == spec.background] = 0
    colours = np.array(spec.palette, np.float32)[indices]
    return np.rint(pixels + (colours - pixels) * strength[..., None]).astype(np.uint8)


def _subsample(image: ReadableImage, step: int) -> np.ndarray:
    """Return every `step`-th pixel of every `step`-th row; a large image is read in stripes."""
    height, width = image.shape[:2]
    if step == 1:
        return image.read_window(0, 0, height, width)
    rows = step * max(1, STRIPE // (width * step))
    stripes = (image.read_window(y, 0, min(rows, height - y), width) for y in range(0, height, rows))
    return np.concatenate([stripe[::step, ::step] for stripe in stripes])


def _to_rgb(pixels: np.ndarray) -> np.ndarray:
    """Return (h, w, 3) float32 in [0, 255]: grey is repeated, of more channels the first three are shown."""
    shown = pixels[..., :3] if pixels.shape[2] >= 3 else np.repeat(pixels[..., :1], 3, axis=2)
    return shown.astype(np.float32) * (1 if pixels.dtype == np.uint8 else 255)


def _find_outlines(indices: np.ndarray, width: int) -> np.ndarray:
    """Return True for pixels that have another class within `width` rows or columns: (h, w) bool."""
    outline = np.zeros(indices.shape, bool)
    for distance in range(1, width + 1):
        differs = indices[distance:] != indices[:-distance]
        outline[distance:] |= differs
        outline[:-distance] |= differs
        differs = indices[:, distance:] != indices[:, :-distance]
        outline[:, distance:] |= differs
        outline[:, :-distance] |= differs
    return outline
