"""How large crops are, and how many levels a network has."""

import math
from dataclasses import dataclass

from segapp.planning.decisions import Decision
from segapp.planning.fingerprint import Fingerprint

MIN_CROP, MAX_CROP = 128, 1024
OBJECTS_PER_CROP = 4
"""A crop is at least so many times as long as the 90th percentile of the objects, where images and memory allow."""
THIN = 4.0
"""Structures of a smaller mean width, in pixels, are never reduced."""
DEEPEST = 8
"""Smallest side of the deepest level's features, in pixels: less is all padding."""
MAX_LEVELS = 7
PIXELS_PER_STEP = {"cpu": 8 * 256**2, "cuda": 16 * 512**2, "mps": 8 * 384**2}
"""Pixels in the batch of one step: what keeps the device busy, and enough for batch statistics."""
MIN_BATCH, MAX_BATCH = 2, 64


@dataclass(frozen=True)
class Geometry:
    """The sizes that a plan has chosen."""

    crop: tuple[int, int]
    levels: int
    """Resolutions of the network, the deepest included; the image is halved `levels - 1` times."""
    batch_size: int


def choose_geometry(fingerprint: Fingerprint, device: str) -> tuple[Geometry, list[Decision]]:
    """Choose crop, levels and batch from the sizes of images and objects and the pixels that a step may hold."""
    heights, widths = fingerprint.sizes[:, 0], fingerprint.sizes[:, 1]
    typical = int(_median(heights)), int(_median(widths))
    largest = fingerprint.extent(0.9)
    pixels = PIXELS_PER_STEP[device]
    levels = _choose_levels(largest, min(typical))
    multiple = 2 ** (levels - 1)
    wanted = max(MIN_CROP, OBJECTS_PER_CROP * largest)
    longest = min(MAX_CROP, math.sqrt(pixels / 8))  # eight crops a step, unless whole images are smaller
    crop = tuple(_round(min(side, max(longest, MIN_CROP), wanted), side, multiple) for side in typical)
    batch = min(MAX_BATCH, max(MIN_BATCH, pixels // (crop[0] * crop[1])))
    seen = "the whole image" if all(c >= t for c, t in zip(crop, typical, strict=True)) else f"{crop[0]} x {crop[1]}"
    decisions = [
        Decision(
            "data.crop",
            list(crop),
            f"A crop sees {seen}: images are {_range(heights)} x {_range(widths)} pixels (median {typical[0]} x "
            f"{typical[1]}), and 90 % of the object pixels lie in objects up to {largest:.0f} pixels long, of which a "
            f"crop should hold {OBJECTS_PER_CROP}; {batch} crops fill a step of {pixels / 1e6:.2g} million pixels.",
        ),
        Decision("data.batch_size", int(batch), ""),
        Decision("data.window", _choose_window(crop), ""),
    ]
    return Geometry((crop[0], crop[1]), levels, int(batch)), decisions


def _choose_levels(largest: float, side: int) -> int:
    """Halve until one position of the deepest level sees the largest objects, and no further than DEEPEST positions.

    Two 3×3 convolutions at each level see 4 pixels of it more: with L levels about 4 (2^L - 1) pixels of the image.
    """
    seeing = math.ceil(math.log2(max(largest, 1) / 4 + 1))
    fitting = int(math.log2(max(side, DEEPEST) / DEEPEST)) + 1
    return max(2, min(max(seeing, 4), fitting, MAX_LEVELS))


def _choose_window(crop: tuple[int, ...]) -> list[int]:
    """Evaluation windows are at least 256 pixels: their edges cost more than a training crop's."""
    return [max(256, side) for side in crop]


def _round(size: float, side: int, multiple: int) -> int:
    """To a multiple of what the network divides by: up for a whole image, else down."""
    return max(multiple, math.ceil(size / multiple) * multiple if size >= side else int(size // multiple) * multiple)


def _median(values: object) -> float:
    import numpy as np

    return float(np.median(values))  # type: ignore[call-overload]


def _range(values: object) -> str:
    import numpy as np

    low, high = int(np.min(values)), int(np.max(values))  # type: ignore[call-overload]
    return str(low) if low == high else f"{low} … {high}"
