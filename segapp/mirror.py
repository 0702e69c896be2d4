"""Padding of images by their mirror image, the same in training and in prediction."""

import numpy as np


def mirror_indices(start: int, stop: int, length: int) -> np.ndarray:
    """Return the indices start … stop - 1, those outside 0 … length - 1 mirrored at the edge pixels.

    >>> mirror_indices(-2, 5, 3).tolist()
    [2, 1, 0, 1, 2, 1, 0]
    """
    period = max(2 * (length - 1), 1)
    indices = np.arange(start, stop) % period
    return np.where(indices >= length, period - indices, indices)
