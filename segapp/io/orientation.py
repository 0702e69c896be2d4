"""Applies EXIF orientation to pixels and windows."""

import numpy as np

from segapp.io.header import Header, Window


def turn_upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Apply EXIF `orientation` to stored (H, W[, C]) pixels; a view.

    >>> turn_upright(np.array([[1, 2, 3]]), 6).tolist()
    [[1], [2], [3]]
    """
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def find_stored_window(header: Header, window: Window) -> Window:
    """Locate an upright window in the stored pixels; `turn_upright` brings its pixels back."""
    y, x, h, w = window
    height, width = header.upright
    if header.orientation in (2, 3, 6, 7):
        x = width - x - w
    if header.orientation in (3, 4, 7, 8):
        y = height - y - h
    return (x, y, w, h) if header.orientation >= 5 else (y, x, h, w)
