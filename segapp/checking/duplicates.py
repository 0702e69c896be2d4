"""Images that occur twice, exactly or nearly."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from segapp.checking.facts import ItemFacts

ALIKE_BITS = 4
"""Bits of the 64 of a perceptual hash in which images that look alike differ at most."""
ALIKE = 0.98
"""Least correlation of their thumbnails."""
BLOCK = 1024
"""Images that are compared with all others at a time."""


def find_equal(facts: Sequence[ItemFacts]) -> list[list[ItemFacts]]:
    """Return the groups of two or more images whose pixels are equal; constant images are left out."""
    groups: dict[bytes, list[ItemFacts]] = defaultdict(list)
    for one in facts:
        if one.digest and not one.is_constant:
            groups[one.digest].append(one)
    return [group for group in groups.values() if len(group) > 1]


def find_alike(facts: Sequence[ItemFacts]) -> Iterator[tuple[ItemFacts, ItemFacts]]:
    """Yield pairs of images that look alike and are not equal, as after a change of size, contrast or compression."""
    known = [one for one in facts if one.described is not None and not one.is_constant]
    if not known:
        return
    signs = np.where(np.stack([one.look for one in known]), np.float32(1), np.float32(-1))
    least = signs.shape[1] - 2 * ALIKE_BITS
    for start in range(0, len(known), BLOCK):
        products = signs[start : start + BLOCK] @ signs.T
        for row, column in zip(*np.nonzero(products >= least), strict=True):
            first, second = known[start + row], known[column]
            if start + row < column and first.digest != second.digest and _correlate(first, second) >= ALIKE:
                yield first, second


def _correlate(first: ItemFacts, second: ItemFacts) -> float:
    assert first.described is not None
    assert second.described is not None
    pair = np.stack([first.described.thumbnail.ravel(), second.described.thumbnail.ravel()]).astype(np.float64)
    pair -= pair.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(pair, axis=1)
    return float(pair[0] @ pair[1] / lengths.prod()) if lengths.all() else 0.0
