"""Rules about masks that may not belong to their image."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from segapp.checking.alignment import SMALL, Edges
from segapp.checking.data_set import DataSet, list_names, make_warning
from segapp.checking.facts import ItemFacts
from segapp.datasets.problems import Problem

FEWEST_FITS = 8
"""Masks with borders from which it is known how well they usually fit."""
OUTLIER = 1.5
"""Distances between quartiles below the first from which a fit is unusual (Tukey, Exploratory Data Analysis, 1977)."""
FAR_OUT = 3.0
"""The same above the third from which another place fits unusually much better."""
NEARLY = 0.75
"""Fraction of the usual fit that the better place must reach."""
SIGNIFICANT = 4.5
"""Least fit of the better place: the best of some thousand places is 3.5 to 4 by chance."""
COMPARED = 1000
"""Masks from which it is known how well any mask fits an image."""
BLOCK = 512
"""Images or masks that are compared at a time, which bounds the memory."""
BETTER = 2.0
"""By how much another place must fit better than a mask's own."""


def check_overlaps(data: DataSet) -> Iterator[Problem]:
    """Yield that classes lie over each other: each pixel is learnt as one of them."""
    members = sorted((one for one in data.facts if one.overlap), key=lambda one: -one.overlap)
    if members:
        message = (
            f"classes overlap in {len(members)} masks, in {sum(one.overlap for one in members):,} pixels, most in "
            f"{list_names(members)}: each of these pixels is learnt and scored as the class that is painted last. "
            "See docs/data.md, 'Know what happens where masks overlap'."
        )
        yield make_warning("mask", message, members, "mask")


def check_shared_masks(data: DataSet) -> Iterator[Problem]:
    """Yield different images with one mask, which is more than empty."""
    groups: dict[bytes, list[ItemFacts]] = defaultdict(list)
    for one in data.described:
        assert one.described is not None
        if (one.described.counts > 0).sum() > 1:
            groups[one.mask_digest].append(one)
    for members in groups.values():
        if len({one.digest for one in members}) > 1:
            message = f"different images have the same mask: {list_names(members)}. Were masks copied or overwritten?"
            yield make_warning("alignment", message, members)


def check_alignment(data: DataSet) -> Iterator[Problem]:
    """Yield masks that would lie better on their image shifted or mirrored.

    Silent where borders of masks do not lie on edges of images, and about masks that lie as well as most. Slices of a
    volume, and blocks of a large image, are misplaced together: fewer than half of them say nothing.
    """
    known = [(one, one.fit) for one in data.described if one.fit is not None]
    if len(known) < FEWEST_FITS:
        return
    usual = float(np.median([fit.own for _, fit in known]))
    low, high = np.percentile([fit.best - fit.own for _, fit in known], [25, 75])
    least = max(BETTER, high + FAR_OUT * (high - low))
    found = [
        (one, fit)
        for one, fit in known
        if fit.motion and fit.best - fit.own >= least and fit.best >= max(SIGNIFICANT, NEARLY * usual)
    ]
    parts, misplaced = (Counter(one.path or one.name for one, _ in each) for each in (known, found))
    for one, fit in found:
        file = one.path or one.name
        if 2 * misplaced[file] >= parts[file]:
            message = (
                f"the mask of {one.name!r} fits its image better {fit.motion} (fit {fit.best:.1f} against "
                f"{fit.own:.1f}, usually {usual:.1f}); look at it."
            )
            yield make_warning("alignment", message, [one])


def check_swapped(data: DataSet) -> Iterator[Problem]:
    """Yield masks that fit the image of another name better than their own."""
    known = [one for one in data.described if one.edges is not None]
    if len(known) < FEWEST_FITS:
        return
    edges = [one.edges for one in known if one.edges is not None]
    own = _measure_own_fits(edges)
    low, high = np.percentile(own, [25, 75])
    unusual = np.flatnonzero(own < low - OUTLIER * (high - low))
    best = dict(zip(unusual.tolist(), _find_best(edges, unusual), strict=True))
    others = np.array(sorted({other for index, other in best.items() if index < other}), int)
    back = dict(zip(others.tolist(), _find_best(edges, others), strict=True))
    for index, other in best.items():
        if back.get(other) == index and index < other:
            message = (
                f"the masks of {known[index].name!r} and {known[other].name!r} each fit the other's image better; "
                "were they swapped?"
            )
            yield make_warning("alignment", message, [known[index], known[other]])


def _measure_own_fits(edges: Sequence[Edges]) -> np.ndarray:
    """Return (n,) float32: how well each mask fits its image, in standard deviations from the fits of other masks."""
    others = _stack_borders(edges[:: -(-len(edges) // COMPARED)])
    own = np.empty(len(edges), np.float32)
    for start in range(0, len(edges), BLOCK):
        block = edges[start : start + BLOCK]
        strengths = _stack_strengths(block)
        fits = strengths @ others.T
        mean, spread = fits.mean(axis=1), np.maximum(fits.std(axis=1), 1e-9)
        own[start : start + BLOCK] = (np.einsum("ij,ij->i", strengths, _stack_borders(block)) - mean) / spread
    return own


def _find_best(edges: Sequence[Edges], indices: np.ndarray) -> list[int]:
    """Return, for each of the images at `indices`, the mask that fits it best; all masks are tried, block by block."""
    strengths = _stack_strengths([edges[index] for index in indices])
    best, found = np.full(len(indices), -np.inf, np.float32), np.zeros(len(indices), int)
    for start in range(0, len(edges), BLOCK):
        fits = strengths @ _stack_borders(edges[start : start + BLOCK]).T
        top = fits.max(axis=1)
        found = np.where(top > best, start + fits.argmax(axis=1), found)
        best = np.maximum(best, top)
    return [int(index) for index in found]


def _stack_strengths(edges: Sequence[Edges]) -> np.ndarray:
    return np.array([one.strength.ravel() for one in edges], np.float32).reshape(-1, SMALL * SMALL)


def _stack_borders(edges: Sequence[Edges]) -> np.ndarray:
    """Return (n, SMALL * SMALL) float32; the sum of each mask's borders is 1."""
    borders = np.array([one.borders.ravel() for one in edges], np.float32).reshape(-1, SMALL * SMALL)
    return np.asarray(borders / borders.sum(axis=1, keepdims=True), np.float32)
