"""Averages pixels over areas, so that an image gets fewer; windows of it are the same as the whole."""

from collections.abc import Callable

import numpy as np

from segapp.io.header import Window

AT_ONCE = 2**21
"""Pixels that are read and averaged at once, if a row of them is not more."""


def read_averaged(
    read: Callable[[Window], np.ndarray], size: tuple[int, int], step: tuple[float, float], window: Window
) -> np.ndarray:
    """Return (h, w, C) of a window, each pixel the mean of `step` pixels, down and across, of the image that is read.

    Args:
        read: Reads (h, w, C) of a window of the finer image.
        size: Height and width of the finer image.
        step: Pixels of the finer image for each of the averaged, above 1.
        window: In averaged pixels.
    """
    y, x, h, w = window
    rows = max(1, int(AT_ONCE / (step[0] * step[1] * w)))
    bands = []
    for top in range(y, y + h, rows):
        count = min(rows, y + h - top)
        first, last = int(top * step[0]), min(int(np.ceil((top + count) * step[0])), size[0])
        left, right = int(x * step[1]), min(int(np.ceil((x + w) * step[1])), size[1])
        pixels = read((first, left, last - first, right - left))
        mean = _average_rows(pixels.astype(np.float64), top, count, step[0], first)
        mean = _average_rows(mean.swapaxes(0, 1), x, w, step[1], left).swapaxes(0, 1)
        bands.append(_convert(mean, pixels.dtype))
    return np.concatenate(bands)


def _average_rows(pixels: np.ndarray, start: int, count: int, step: float, first: int) -> np.ndarray:
    """Return (count, …): means of the rows between `i * step` and `(i + 1) * step` for `i` from `start`.

    Args:
        pixels: float64 rows of the finer image, from row `first` on.
        start: The first mean.
        count: Means.
        step: Rows of each.
        first: Row of the finer image with which `pixels` begins.
    """
    edges = np.arange(start, start + count + 1) * step
    whole = np.floor(edges).astype(np.int64)
    part = (edges - whole).reshape(-1, *[1] * (pixels.ndim - 1))
    whole = np.minimum(whole - first, len(pixels))
    sums = np.add.reduceat(pixels[: whole[-1]], whole[:-1], axis=0)
    cut = part * pixels[np.minimum(whole, len(pixels) - 1)]  # of the row that an edge divides: the piece before it
    return (sums + cut[1:] - cut[:-1]) / step


def _convert(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    return (np.rint(values) if dtype.kind in "ui" else values).astype(dtype)
