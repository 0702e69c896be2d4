"""Turn images and class indices into pixels that are shown."""

import math
from typing import NamedTuple

import cv2
import numpy as np

from segapp.batch import IGNORE_INDEX
from segapp.spec import Spec

MEASURED = 2**18
"""Pixels from which brightness and contrast are computed: an even grid of larger images."""


class ImageProperties(NamedTuple):
    """What may make an image hard to segment."""

    height: int
    width: int
    brightness: float
    """The mean of its values in [0, 1]."""
    contrast: float
    """Their standard deviation, of the mean over channels."""


def measure_properties(image: np.ndarray) -> ImageProperties:
    """Measure an image (C, H, W), uint8 in [0, 255] or float in [0, 1]."""
    height, width = image.shape[1:]
    step = max(1, math.ceil(math.sqrt(height * width / MEASURED)))
    grey = image[:, ::step, ::step].mean(axis=0, dtype=np.float32) / (255 if image.dtype == np.uint8 else 1)
    return ImageProperties(height, width, float(grey.mean(dtype=float)), float(grey.std(dtype=float)))


def convert_to_rgb(image: np.ndarray, neighbours: int = 0) -> np.ndarray:
    """Convert (C, H, W) uint8 in [0, 255] or float in [0, 1] to (H, W, 3) uint8: its first one or three channels.

    Of a slice with `neighbours` before and after it, the channels of the slice itself.
    """
    own = len(image) // (2 * neighbours + 1)
    image = image[neighbours * own : (neighbours + 1) * own]
    pixels = image if image.dtype == np.uint8 else np.round(image.clip(0, 1) * 255).astype(np.uint8)
    channels = pixels[:3] if len(pixels) >= 3 else np.repeat(pixels[:1], 3, axis=0)
    return np.ascontiguousarray(channels.transpose(1, 2, 0))


def paint_classes(indices: np.ndarray, spec: Spec, alpha: int) -> np.ndarray:
    """Return (H, W, 4) RGBA of class indices (H, W): the background is transparent, ignored pixels are grey."""
    table = np.zeros((256, 4), np.uint8)
    table[: spec.num_classes, :3], table[: spec.num_classes, 3] = spec.palette, alpha
    if spec.background is not None:
        table[spec.background] = 0
    table[IGNORE_INDEX] = (128, 128, 128, alpha)
    return table[indices]


def encode_png(pixels: np.ndarray) -> bytes:
    """Encode (H, W, 4) RGBA as PNG."""
    return cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGBA2BGRA))[1].tobytes()


def encode_jpeg(pixels: np.ndarray) -> bytes:
    """Encode (H, W, 3) RGB as JPEG."""
    return cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
