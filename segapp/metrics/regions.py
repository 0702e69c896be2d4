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
    begins = [np.zeros(target.size, bool) for _ in range(2)]
    for first, found in zip(begins, (theirs, ours), strict=True):
        first[found.starts] = True
    cuts = np.flatnonzero(begins[0] | begins[1])
    lengths = np.diff(cuts, append=target.size)
    one, other = (found.owners[first[cuts].cumsum() - 1] for first, found in zip(begins, (theirs, ours), strict=True))
    shared = np.flatnonzero((one >= 0) & (other >= 0))
    shared = shared[theirs.classes[one[shared]] == ours.classes[other[shared]]]
    shape = (len(theirs.areas), len(ours.areas))
    pairs = coo_array((lengths[shared], (one[shared], other[shared])), shape=shape).tocsr()
    both, predictions = pairs.data, pairs.indices.astype(np.int64)
    targets = np.repeat(np.arange(shape[0]), np.diff(pairs.indptr))
    ious = both / (theirs.areas[targets] + ours.areas[predictions] - both)
    return RegionPairs(theirs, ours, targets, predictions, ious)


def find_regions(indices: np.ndarray) -> Regions:
    """Find the connected regions of every class of an (H, W) uint8 label map; 255 = in no region."""
    first = _find_firsts(indices)
    starts = np.flatnonzero(first)
    labels, lengths = indices.ravel()[starts], np.diff(starts, append=indices.size)
    kept = np.flatnonzero(labels != IGNORE_INDEX)
    upper, lower = _find_neighbours(first, indices.shape[1])
    same = np.flatnonzero((labels[upper] == labels[lower]) & (labels[upper] != IGNORE_INDEX))
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


def _find_firsts(indices: np.ndarray) -> np.ndarray:
    """Return (H · W,) bool: whether a run of equal pixels in a row of a label map begins at a pixel."""
    flat, first = indices.ravel(), np.empty(indices.size, bool)
    np.not_equal(flat[1:], flat[:-1], out=first[1:])
    first[:: indices.shape[1]] = True
    return first


def _find_neighbours(first: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return all pairs of a run and one that touches it in the row below, over edges and corners.

    Where either of two rows begins a run, the runs above and below share an edge; where both do, the runs on either
    side share a corner.
    """
    above, below = first[:-width], first[width:]
    cuts = np.flatnonzero(above | below)
    above, below = above[cuts], below[cuts]
    upper = above.cumsum() - 1
    lower = below.cumsum() - 1 + np.count_nonzero(first[:width])
    corners = np.flatnonzero(above & below)
    corners = corners[cuts[corners] % width > 0]
    right, left = upper[corners], lower[corners]
    return np.concatenate([upper, right - 1, right]), np.concatenate([lower, left, left - 1])
