"""Sizes of the objects in a mask."""

from dataclasses import dataclass

import cv2
import numpy as np

from segapp.batch import IGNORE_INDEX

MAX_OBJECTS = 1000
"""Objects kept of one class in one mask: enough for percentiles, bounded for masks that are noise."""


@dataclass(frozen=True)
class ObjectSizes:
    """The connected regions of one class in one mask, in pixels of the stored image."""

    class_index: int
    areas: np.ndarray
    """(n,) float32: pixels of each region, the largest `MAX_OBJECTS`."""
    extents: np.ndarray
    """(n,) float32: the longer side of each region's bounding box."""
    thickness: float
    """Mean local width of the class, weighted by area: twice the mean distance of its pixels to the outside, doubled,
    which is exact for a long straight band and 2/3 of the diameter for a disc."""


def measure_objects(mask: np.ndarray, background: int | None, scale: float = 1.0) -> list[ObjectSizes]:
    """Measure the 8-connected regions of every class but the background.

    Args:
        mask: (H, W) uint8 class indices, 255 = ignore.
        background: The class without objects, or None if every class has some.
        scale: Pixels of the stored image per pixel of `mask`, where the mask was read at a lower resolution.
    """
    present = [int(index) for index in np.unique(mask) if index != IGNORE_INDEX and index != background]
    return [_measure_class(mask == index, index, scale) for index in present]


def _measure_class(region: np.ndarray, index: int, scale: float) -> ObjectSizes:
    pixels = region.astype(np.uint8)
    count, _, stats, _ = cv2.connectedComponentsWithStats(pixels, connectivity=8)
    stats = stats[1:count]
    largest = np.argsort(-stats[:, cv2.CC_STAT_AREA], kind="stable")[:MAX_OBJECTS]
    sides = np.maximum(stats[largest, cv2.CC_STAT_WIDTH], stats[largest, cv2.CC_STAT_HEIGHT])
    return ObjectSizes(
        class_index=index,
        areas=stats[largest, cv2.CC_STAT_AREA].astype(np.float32) * scale**2,
        extents=sides.astype(np.float32) * scale,
        thickness=scale * _mean_width(pixels),
    )


def _mean_width(pixels: np.ndarray) -> float:
    """Return the mean width of a region, from the distances of its pixels to the nearest pixel outside.

    In a band of width w these distances run from 1 to w / 2 + 1/2, so their mean is w / 4 + 1/2. What lies beyond
    the image counts as inside: a road that leaves the image is not thinner there.
    """
    padded = cv2.copyMakeBorder(pixels, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    if padded.all():
        return float(min(pixels.shape))
    distances = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    inside = distances[pixels > 0]
    return float(max(1.0, 4 * (inside.mean() - 0.5))) if inside.size else 0.0
