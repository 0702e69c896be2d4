"""Mirror images and turn them by quarters: no pixel is interpolated."""

import cv2
import numpy as np

MOST_CHANNELS = 4
"""Channels up to which OpenCV copies pixels: NumPy takes ten times as long for pixels of a few bytes."""


def is_permutation(matrix: np.ndarray) -> bool:
    """Return whether a (2, 2) matrix only mirrors and turns by quarters."""
    return all(value in (-1, 0, 1) for row in matrix.tolist() for value in row)


def permute(pixels: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Permute (H, W[, C]) pixels so that their (x, y) is matrix @ (x, y); perhaps a view, not to be written to."""
    if pixels.shape[2:] > (MOST_CHANNELS,):
        return _permute_view(pixels, matrix)
    channels = pixels.shape[2:]
    if matrix[0, 0] == 0:
        pixels = cv2.transpose(pixels)
    down, right = _find_mirrored(matrix)
    if down or right:
        pixels = cv2.flip(pixels, 1 if not down else -1 if right else 0)
    return pixels.reshape(*pixels.shape[:2], *channels)  # OpenCV drops the axis of a single channel


def _permute_view(pixels: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    if matrix[0, 0] == 0:
        pixels = pixels.swapaxes(0, 1)
    down, right = _find_mirrored(matrix)
    return pixels[:: -1 if down else 1, :: -1 if right else 1]


def _find_mirrored(matrix: np.ndarray) -> tuple[bool, bool]:
    """Return whether rows and columns run backwards, once the axes are swapped where the matrix swaps them."""
    (xx, xy), (yx, yy) = matrix.tolist()
    return (xy < 0, yx < 0) if xx == 0 else (yy < 0, xx < 0)
