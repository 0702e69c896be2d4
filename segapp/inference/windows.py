"""Computes the positions of an image's windows, and the pixels of a window beyond the image's edge."""

import numpy as np

from segapp.mirror import mirror_indices

GRID = 32
"""Pixels: encoders halve an image up to five times, and pool a window that starts on a multiple as the whole image."""


def list_window_starts(length: int, window: int, overlap: float) -> list[int]:
    """Compute the first pixels of the windows along one axis.

    The fewest that cover it from 0, evenly spread, multiples of `GRID`.

    Neighbours share at least `overlap` (0 ≤ overlap < 1) of a window. Spread evenly, what is left over widens every
    overlap a little, where shifting the last window back would make it nearly a copy of the one before. The last may
    reach beyond the end, by less than `GRID`. Windows smaller than 2 `GRID` or less than `GRID` apart start anywhere.

    >>> list_window_starts(800, 256, 0.25)
    [0, 160, 352, 544]
    >>> list_window_starts(100, 40, 0.25)
    [0, 30, 60]
    """
    if length <= window:
        return [0]
    step = max(1, int(window * (1 - overlap)))
    grid = GRID if step >= GRID and window >= 2 * GRID else 1
    places = -(-(length - window) // grid)
    count = -(-places // (step // grid))
    return [index * places // count * grid for index in range(count + 1)]


def list_window_ends(first: list[int], length: int) -> list[int]:
    """Compute where each window's own pixels end: at the next window's start, and the last one's at `length`."""
    return [*first[1:], length]


def pad_crop(crop: np.ndarray, size: tuple[int, int], start: tuple[int, int] = (0, 0)) -> np.ndarray:
    """Return (h, w, C) grown to (*size, C), with the crop at `start` and its mirror image around, as in training.

    The mirror does not repeat the edge itself.
    """
    for axis, (length, first) in enumerate(zip(size, start, strict=True)):
        if crop.shape[axis] < length:
            crop = crop.take(mirror_indices(-first, length - first, crop.shape[axis]), axis)
    return crop


def find_image_start(size: tuple[int, ...], window: tuple[int, int]) -> tuple[int, int]:
    """Return the first row and column of an image of `size` in its window: the middle of it where it is smaller.

    Training pads such an image on all sides too; at a corner of the window it would see the zeros around the window.

    >>> find_image_start((100, 300), (256, 256))
    (78, 0)
    """
    y, x = (max(0, -((have - whole) // 2)) for have, whole in zip(size, window, strict=True))
    return y, x
