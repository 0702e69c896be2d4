"""Where the windows of an image lie, and what a window sees beyond the image's edge."""

import numpy as np

GRID = 32
"""Pixels: encoders halve an image up to five times, and pool a window that starts on a multiple as the whole image."""


def starts(length: int, window: int, overlap: float) -> list[int]:
    """First pixels of the windows along one axis: the fewest that cover it from 0, evenly spread, multiples of `GRID`.

    Neighbours share at least `overlap` (0 ≤ overlap < 1) of a window. Spread evenly, what is left over widens every
    overlap a little, where shifting the last window back would make it nearly a copy of the one before. The last may
    reach beyond the end, by less than `GRID`. Windows smaller than 2 `GRID` or less than `GRID` apart start anywhere.

    >>> starts(800, 256, 0.25)
    [0, 160, 352, 544]
    >>> starts(100, 40, 0.25)
    [0, 30, 60]
    """
    if length <= window:
        return [0]
    step = max(1, int(window * (1 - overlap)))
    grid = GRID if step >= GRID and window >= 2 * GRID else 1
    places = -(-(length - window) // grid)
    count = -(-places // (step // grid))
    return [index * places // count * grid for index in range(count + 1)]


def ends(first: list[int], length: int) -> list[int]:
    """Where each window's own pixels end: at the next window's start, the last one's at `length`."""
    return [*first[1:], length]


def padded(crop: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(h, w, C) grown to (*size, C) at its bottom and right: mirrored, and repeated where the mirror ends.

    The mirror does not repeat the edge itself, so it shows h - 1 rows and w - 1 columns.
    """
    missing = [whole - have for whole, have in zip(size, crop.shape, strict=False)]
    if not any(missing):
        return crop
    mirrored = [min(gap, have - 1) for gap, have in zip(missing, crop.shape, strict=False)]
    beyond = [gap - shown for gap, shown in zip(missing, mirrored, strict=True)]
    crop = np.pad(crop, [*((0, rows) for rows in mirrored), (0, 0)], mode="reflect")
    return np.pad(crop, [*((0, rows) for rows in beyond), (0, 0)], mode="edge")
