"""Removes objects and holes below a size from class indices.

Both work on connected regions of the finished class indices of an image, after its windows were blended: no object is
cut by a window's border, and tiling changes nothing. Large images come in bands of rows. A region of fewer than n
pixels spans fewer than n rows, so n more rows around a band give exactly the result of the whole image.
"""

from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from segapp.spec import Spec

OBJECT, HOLE = 8, 4
"""Neighbours of a pixel: objects are connected across corners, so holes are not."""


def needs_cleaning(spec: Spec) -> bool:
    """Return whether the spec asks for any postprocessing."""
    return any(spec.min_object) or any(spec.min_hole)


def clean(indices: np.ndarray, spec: Spec) -> np.ndarray:
    """Clean (H, W) uint8 class indices from small holes and objects.

    Return the same array when the spec asks for nothing.

    Holes first, class by class in their order: what a class encloses (not what touches the image's border) is filled
    if it has fewer than `spec.min_hole` pixels. Then objects, all at once: an object of fewer than `spec.min_object`
    pixels goes to the class that holds most of the pixels around it, of those that stay (the first of equals); one
    that nothing of the kind surrounds stays.
    """
    for index, smallest in enumerate(spec.min_hole):
        if smallest:
            indices = _fill_holes(indices, index, smallest)
    return _remove_small(indices, spec.min_object) if any(spec.min_object) else indices


def clean_bands(bands: Iterable[np.ndarray], spec: Spec) -> Iterator[np.ndarray]:
    """Clean bands (h, W) uint8 of an image from top to bottom: joined they equal `clean` of the complete image.

    Keeps `compute_margin(spec)` rows above and below the rows that are yielded.
    """
    reach = compute_margin(spec)
    held = np.empty((0, 0), np.uint8)  # rows that are due, after up to `reach` rows of context
    above = 0
    for band in bands:
        held = np.concatenate([held, band]) if held.size else band
        ready = len(held) - above - reach
        if ready >= max(len(band), reach):  # not before enough new rows justify computing the context again
            yield clean(held, spec)[above : above + ready]
            done = above + ready
            held, above = held[max(done - reach, 0) :], min(done, reach)
    if len(held) > above:
        yield clean(held, spec)[above:]


def compute_margin(spec: Spec) -> int:
    """Compute how many rows away a pixel may lie that decides about another.

    The reach of every step, one after the other.
    """
    holes = sum(smallest + 1 for smallest in spec.min_hole if smallest)
    return holes + 2 * (max(spec.min_object, default=0) + 1)  # an object's neighbours may be small objects themselves


def _fill_holes(indices: np.ndarray, index: int, smallest: int) -> np.ndarray:
    """Fill the small regions that class `index` encloses, in a copy."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats((indices != index).astype(np.uint8), connectivity=HOLE)
    small = stats[:, cv2.CC_STAT_AREA] < smallest
    small[0] = False  # the class itself
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        small[edge] = False
    filled = indices.copy()
    filled[small[labels]] = index
    return filled


def _remove_small(indices: np.ndarray, smallest: tuple[int, ...]) -> np.ndarray:
    """Remove small objects in a copy; each becomes the class around it."""
    labels = np.zeros(indices.shape, np.int32)  # of small objects, from 1; 0 stays
    count = 0
    for index in np.flatnonzero(smallest):
        _, found, stats, _ = cv2.connectedComponentsWithStats((indices == index).astype(np.uint8), connectivity=OBJECT)
        small = stats[:, cv2.CC_STAT_AREA] < smallest[index]
        small[0] = False
        numbers = np.where(small, np.cumsum(small) + count, 0).astype(np.int32)
        labels += numbers[found]
        count += int(small.sum())
    if not count:
        return indices
    new = _find_surroundings(indices, labels, count, len(smallest)).astype(np.uint8)
    return np.where(labels > 0, new[labels], indices)


def _find_surroundings(indices: np.ndarray, labels: np.ndarray, count: int, classes: int) -> np.ndarray:
    """(count + 1,): per small object the class of most of its neighbours that stay; its own where there are none."""
    votes = np.zeros((count + 1, classes), np.int64)
    height, width = labels.shape
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):  # half of the eight neighbours; each pair is seen from both sides
        here = np.s_[: height - dy, max(-dx, 0) : width - max(dx, 0)]
        there = np.s_[dy:, max(dx, 0) : width - max(-dx, 0)]
        for one, other in ((here, there), (there, here)):
            meets = (labels[one] > 0) & (labels[other] == 0)
            np.add.at(votes, (labels[one][meets], indices[other][meets]), 1)
    own = np.zeros(count + 1, np.int64)
    own[labels] = indices
    return np.where(votes.any(axis=1), votes.argmax(axis=1), own)
