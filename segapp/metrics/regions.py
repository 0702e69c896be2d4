"""Connected regions of every class of two label maps, and how they overlap: what scores of objects are computed from.

Both are computed from runs of equal pixels in a row, of which there are far fewer than pixels. Regions touch at edges
and corners; ignored pixels are in none, and so divide them.
"""

from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from segapp.batch import IGNORE_INDEX


class Regions(NamedTuple):
    """The N regions of a label map in the order of their first pixels, and its R runs, row by row."""

    classes: np.ndarray
    """(N,) uint8."""
    areas: np.ndarray
    """(N,) int64, in pixels."""
    starts: np.ndarray
    """(R,) int64: the first pixel of every run, counted along the rows."""
    owners: np.ndarray
    """(R,) int64: the region of every run; -1 for runs of ignored pixels."""


class RegionPairs(NamedTuple):
    """The regions of two label maps and the P pairs of regions of one class that share pixels, ordered by target."""

    target: Regions
    predicted: Regions
    targets: np.ndarray
    """(P,) int64: the target's region of every pair."""
    predictions: np.ndarray
    """(P,) int64: the predicted region of every pair."""
    ious: np.ndarray
    """(P,) float64: the intersection over union of every pair."""


def pair_regions(prediction: np.ndarray, target: np.ndarray) -> RegionPairs:
    """Find the regions of two (H, W) uint8 label maps and the pairs that share pixels; 255 = ignore in the target."""
    ignored = target == IGNORE_INDEX
    if ignored.any():
        prediction = np.where(ignored, np.uint8(IGNORE_INDEX), prediction)
    theirs, ours = find_regions(target), find_regions(prediction)
    change = np.zeros(target.size, bool)
    change[theirs.starts] = change[ours.starts] = True
    cuts = np.flatnonzero(change)
    lengths = np.diff(cuts, append=target.size)
    one = theirs.owners[np.searchsorted(theirs.starts, cuts, "right") - 1]
    other = ours.owners[np.searchsorted(ours.starts, cuts, "right") - 1]
    shared = (one >= 0) & (other >= 0)
    one, other, lengths = one[shared], other[shared], lengths[shared]
    same = theirs.classes[one] == ours.classes[other]
    keys, places = np.unique(one[same] * max(len(ours.areas), 1) + other[same], return_inverse=True)
    both = np.bincount(places, lengths[same], len(keys))
    targets, predictions = np.divmod(keys, max(len(ours.areas), 1))
    ious = both / (theirs.areas[targets] + ours.areas[predictions] - both)
    return RegionPairs(theirs, ours, targets, predictions, ious)


def find_regions(indices: np.ndarray) -> Regions:
    """Find the connected regions of every class of an (H, W) uint8 label map; 255 = in no region."""
    starts = _find_runs(indices)
    labels, lengths = indices.ravel()[starts], np.diff(starts, append=indices.size)
    kept = np.flatnonzero(labels != IGNORE_INDEX)
    upper, lower = _find_neighbours(starts, lengths, indices.shape[1], indices.size)
    same = (labels[upper] == labels[lower]) & (labels[upper] != IGNORE_INDEX)
    numbers = np.full(len(starts), -1)
    numbers[kept] = np.arange(len(kept))
    ends = (numbers[upper[same]], numbers[lower[same]])
    graph = coo_array((np.ones(len(ends[0]), np.int8), ends), shape=(len(kept), len(kept)))
    count, regions = connected_components(graph, directed=False)
    owners = np.full(len(starts), -1)
    owners[kept] = regions
    classes = np.zeros(count, np.uint8)
    classes[regions] = labels[kept]
    areas = np.bincount(regions, lengths[kept], count).astype(np.int64)
    return Regions(classes, areas, starts, owners)


def _find_runs(indices: np.ndarray) -> np.ndarray:
    """Return the first pixels of the runs of equal pixels in the rows of a label map, counted along the rows."""
    change = np.ones(indices.shape, bool)
    np.not_equal(indices[:, 1:], indices[:, :-1], out=change[:, 1:])
    return np.flatnonzero(change)


def _find_neighbours(starts: np.ndarray, lengths: np.ndarray, width: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return all pairs of a run and one that touches it in the row below, over edges and corners."""
    upper = np.arange(np.searchsorted(starts, size - width))  # all but the last row
    below = (starts[upper] // width + 1) * width
    first = np.maximum(starts[upper] + width - 1, below)
    last = np.minimum(starts[upper] + lengths[upper] + width, below + width - 1)
    low, high = (np.searchsorted(starts, pixel, "right") - 1 for pixel in (first, last))
    counts = high - low + 1
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(upper, counts), np.repeat(low, counts) + within
