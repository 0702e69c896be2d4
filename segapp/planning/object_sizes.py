"""Measure the sizes of the objects in a mask."""

from dataclasses import dataclass

import cv2
import numpy as np

from segapp.batch import IGNORE_INDEX
from segapp.datasets.value_counts import count_values

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


def measure_objects(
    mask: np.ndarray, background: int | None, scale: float = 1.0, with_thickness: bool = True
) -> list[ObjectSizes]:
    """Measure the 8-connected regions of every class but the background.

    Args:
        mask: (H, W) uint8 class indices, 255 = ignore.
        background: The class without objects, or None if every class has some.
        scale: Pixels of the stored image per pixel of `mask`, where the mask was read at a lower resolution.
        with_thickness: Whether to measure how thick each class is; NaN otherwise.
    """
    present = [int(index) for index in np.flatnonzero(count_values(mask)) if index not in (IGNORE_INDEX, background)]
    distances = _measure_distances(mask) if with_thickness else None
    return [_measure_class((mask == index).astype(np.uint8), index, distances, scale) for index in present]


def _measure_class(pixels: np.ndarray, index: int, distances: np.ndarray | None, scale: float) -> ObjectSizes:
    left, top, width, height = cv2.boundingRect(pixels)
    inside = np.s_[top : top + height, left : left + width]
    count, _, stats, _ = cv2.connectedComponentsWithStats(pixels[inside], connectivity=8)
    stats = stats[1:count]
    largest = np.argsort(-stats[:, cv2.CC_STAT_AREA], kind="stable")[:MAX_OBJECTS]
    sides = np.maximum(stats[largest, cv2.CC_STAT_WIDTH], stats[largest, cv2.CC_STAT_HEIGHT])
    mean = float("nan") if distances is None else cv2.mean(distances[inside], pixels[inside])[0]
    return ObjectSizes(
        class_index=index,
        areas=stats[largest, cv2.CC_STAT_AREA].astype(np.float32) * scale**2,
        extents=sides.astype(np.float32) * scale,
        thickness=scale * float(np.clip(4 * (mean - 0.5), 1.0, max(pixels.shape))),
    )


def _measure_distances(mask: np.ndarray) -> np.ndarray:
    """Return the distance of every pixel to the nearest one of another class, (H, W) float32.

    In a band of width w these distances run from 1 to w / 2 + 1/2, so their mean is w / 4 + 1/2. Outside
    the image the classes continue as at its edge: a road that leaves the image is not thinner there.
    """
    inner = np.ones(mask.shape, np.uint8)
    across, down = mask[:, 1:] != mask[:, :-1], mask[1:] != mask[:-1]
    for edge, before, after in ((across, inner[:, :-1], inner[:, 1:]), (down, inner[:-1], inner[1:])):
        before[edge] = 0
        after[edge] = 0
    if inner.all():
        return np.full(mask.shape, max(mask.shape), np.float32)
    return cv2.distanceTransform(inner, cv2.DIST_L2, cv2.DIST_MASK_5) + 1
