"""Choose the size of crops or reduced images, the batch size, and the number of levels of the network."""

import math
from dataclasses import dataclass

import numpy as np

from segapp.planning.decisions import Decision
from segapp.planning.fingerprint import Fingerprint

MIN_CROP, MAX_CROP = 128, 1024
OBJECTS_PER_CROP = 4
"""A crop is so many times as long as the objects of the 90th percentile, where images and the step's pixels allow."""
MIN_THICKNESS, MIN_RARE_THICKNESS = 8.0, 4.0
"""Images are reduced only as far as every class keeps this mean width, in pixels; the second is that of rare ones."""
RARE = 0.01
"""A class of a smaller fraction of the pixels is rare."""
MIN_DEEPEST_SIDE = 8
"""Smallest side of the deepest level's features, in pixels: smaller ones are mostly padding."""
MIN_LEVELS, MAX_LEVELS = 4, 7
STRIDE = 32
"""Crops are multiples of it, so that encoders of five halvings divide them."""
PIXELS_PER_STEP = {"cpu": 8 * 256**2, "cuda": 16 * 512**2, "mps": 8 * 384**2}
"""Pixels in the batch of one step: enough to keep the device busy and for batch statistics."""
MIN_CROPS_PER_STEP, MIN_IMAGES_PER_STEP = 8, 4
"""Fewest samples of a step: crops of images, and reduced images."""
MIN_PIXELS_PER_STEP = MIN_CROPS_PER_STEP * MIN_CROP**2
"""Fewest pixels of a step, however few steps the budget holds."""
MIN_BATCH, MAX_BATCH = 2, 64
MIN_WINDOW = 256
"""Shortest side of a window, where crops are smaller."""
MAX_WINDOW_FACTOR = 2
"""A complete image is evaluated at once where its sides are at most so many times those of a sample or `MIN_WINDOW`."""


@dataclass(frozen=True)
class PlannedSizes:
    """The sizes that a plan has chosen."""

    sample: tuple[int, int]
    """Height, width of a training sample: a crop, or a reduced image."""
    is_reduced: bool
    """Images are resized to `sample` instead of cropped."""
    window: tuple[int, int] | None
    """Height, width of what is evaluated at once; None for that of a sample."""
    levels: int
    """Resolutions of the network, the deepest included; the image is halved `levels - 1` times."""
    batch_size: int
    visible: float
    """The fraction of a typical image that one sample shows."""
    reasons: tuple[str, str]
    """Of the sample's size and of the batch."""

    def decide(self) -> list[Decision]:
        """Return the settings of the data module."""
        size = list(self.sample)
        chosen, other = ("resize", "crop") if self.is_reduced else ("crop", "resize")
        return [
            Decision(f"data.{chosen}", size, self.reasons[0]),
            Decision(f"data.{other}", None, ""),
            Decision("data.window", self.window and list(self.window), ""),
            Decision("data.batch_size", self.batch_size, self.reasons[1]),
        ]


def choose_sizes(
    fingerprint: Fingerprint, device: str, pixels: int | None = None, longer: PlannedSizes | None = None
) -> PlannedSizes:
    """Choose crop, levels and batch from the sizes of images and objects and the pixels that a step may hold.

    Args:
        fingerprint: Of the data set.
        device: cpu, cuda or mps.
        pixels: Of one step; default: enough to keep the device busy. Fewer where its memory is too small, or where the
            budget holds few steps.
        longer: Sizes of more pixels, where the budget holds too few steps of them: crops stay crops then.
    """
    pixels = pixels or PIXELS_PER_STEP[device]
    typical = int(np.median(fingerprint.sizes[:, 0])), int(np.median(fingerprint.sizes[:, 1]))
    extent = fingerprint.measure_extent(0.9)
    longest = min(MAX_CROP, max(MIN_CROP, math.sqrt(pixels / MIN_CROPS_PER_STEP)))
    may_reduce = longer is None or longer.is_reduced
    reduced = _choose_reduced_size(fingerprint, typical, extent, longest, pixels) if may_reduce else None
    if reduced is not None:
        sample, factor = reduced, max(reduced) / max(typical)
        reason = _explain_reduced(fingerprint, sample, factor, extent)
    else:
        wanted = max(MIN_CROP, OBJECTS_PER_CROP * extent)
        sample = (
            _round_crop(min(typical[0], longest, wanted), typical[0]),
            _round_crop(min(typical[1], longest, wanted), typical[1]),
        )
        factor, reason = (
            1.0,
            _explain_crop(fingerprint, sample, typical, extent, wanted > longest and max(typical) > longest),
        )
    levels = _choose_levels(extent * factor, min(sample))
    if reduced is None:
        sample = _trim_crop(sample, fingerprint, levels)
    least = MIN_IMAGES_PER_STEP if reduced else MIN_BATCH
    batch = int(min(MAX_BATCH, max(least, pixels // (sample[0] * sample[1]))))
    visible = 1.0 if reduced else min(1.0, sample[0] / typical[0]) * min(1.0, sample[1] / typical[1])
    enough = "the budget would hold few larger steps" if longer else "enough to keep the device busy"
    filled = f"{batch} samples fill a step of {pixels / 1e6:.2g} million pixels: {enough}."
    window = None if reduced or visible == 1 else _choose_window(sample, typical)
    return PlannedSizes(sample, reduced is not None, window, levels, batch, visible, (reason, filled))


def _choose_reduced_size(
    fingerprint: Fingerprint, typical: tuple[int, int], extent: float, longest: float, pixels: int
) -> tuple[int, int] | None:
    """Return the size that images are reduced to, where they are larger than need be; None where they are not.

    They are where a crop of the stored pixels would show less than half of an object, and thin classes stay wide.
    """
    if fingerprint.cuts_images or extent <= 2 * longest or max(typical) <= 2 * longest:
        return None
    factor = min(1.0, math.sqrt(pixels / MIN_IMAGES_PER_STEP / (typical[0] * typical[1])), MAX_CROP / max(typical))
    least = np.where(fingerprint.class_fractions < RARE, MIN_RARE_THICKNESS, MIN_THICKNESS)
    if (fingerprint.thicknesses * factor < least).any():
        return None
    return _round_crop(typical[0] * factor, 0), _round_crop(typical[1] * factor, 0)


def _choose_window(sample: tuple[int, int], typical: tuple[int, int]) -> tuple[int, int]:
    """Return the size of a typical image where it is not much larger than a crop: its windows would take more time.

    They overlap, and the last ones reach beyond the image: six of 256 x 256 pixels cover 360 x 480.
    """
    least = max(MIN_WINDOW, sample[0]), max(MIN_WINDOW, sample[1])
    if all(side <= MAX_WINDOW_FACTOR * length for side, length in zip(typical, least, strict=True)):
        return _round_crop(typical[0], typical[0]), _round_crop(typical[1], typical[1])
    return least


def _choose_levels(extent: float, side: int) -> int:
    """Return so many levels that one position of the deepest sees the largest objects, and its sides stay long enough.

    Two 3×3 convolutions at each level see 4 of its pixels more: with L levels about 4 (2^L - 1) pixels of the image.
    """
    needed = math.ceil(math.log2(max(extent, 1) / 4 + 1))
    fitting = int(math.log2(max(side, MIN_DEEPEST_SIDE) / MIN_DEEPEST_SIDE)) + 1
    return max(2, min(max(needed, MIN_LEVELS), fitting, MAX_LEVELS))


def _round_crop(size: float, side: int) -> int:
    """Return a multiple of `STRIDE`: rounded up where the complete side is shown, else to the nearest."""
    count = math.ceil(size / STRIDE) if size >= side > 0 else round(size / STRIDE)
    return STRIDE * max(1, count)


def _trim_crop(crop: tuple[int, int], fingerprint: Fingerprint, levels: int) -> tuple[int, int]:
    """Return a crop that reaches no further beyond the largest image than the network's halvings need.

    Encoders of five halvings take no less than `STRIDE` pixels; above that they fill up their features themselves.
    """
    stride = min(STRIDE, 2 ** (levels - 1))
    height, width = (max(STRIDE, stride * math.ceil(side / stride)) for side in fingerprint.sizes.max(axis=0))
    return min(crop[0], height), min(crop[1], width)


def _explain_crop(
    fingerprint: Fingerprint, crop: tuple[int, int], typical: tuple[int, int], extent: float, is_limited: bool
) -> str:
    sees = "The whole image" if all(c >= t for c, t in zip(crop, typical, strict=True)) else "A part of an image"
    limited = f", of which a step of this device's size allows {max(crop) / max(extent, 1):.2g}" if is_limited else ""
    return (
        f"{sees}: images have {_format_sizes(fingerprint)}, and 90 % of the object pixels lie in objects up to "
        f"{extent:.0f} pixels long; a crop should hold {OBJECTS_PER_CROP}{limited}."
    )


def _explain_reduced(fingerprint: Fingerprint, size: tuple[int, int], factor: float, extent: float) -> str:
    return (
        f"Images have {_format_sizes(fingerprint)} and their objects (up to {extent:.0f} pixels long) fill them: "
        f"reduced to {factor:.0%}, a sample shows all of it, and the thinnest class is "
        f"{fingerprint.thinnest * factor:.0f} pixels wide. Masks are written at the stored size."
    )


def _format_sizes(fingerprint: Fingerprint) -> str:
    low, high = fingerprint.sizes.min(axis=0), fingerprint.sizes.max(axis=0)
    if (low == high).all():
        return f"{low[0]} x {low[1]} pixels"
    middle = np.median(fingerprint.sizes, axis=0)
    return f"{low[0]} … {high[0]} x {low[1]} … {high[1]} pixels (median {middle[0]:.0f} x {middle[1]:.0f})"
