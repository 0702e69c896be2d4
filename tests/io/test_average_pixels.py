"""Means over areas: worked by hand, the same in windows and in bands, in bounded memory."""

import numpy as np
import pytest

from segapp.io import average_pixels
from segapp.io.average_pixels import read_averaged
from segapp.io.header import Window

RNG = np.random.default_rng(0)


def average(pixels: np.ndarray, step: tuple[float, float], window: Window | None = None) -> np.ndarray:
    """Return the means of an image in memory."""
    size = pixels.shape[:2]
    whole = (0, 0, int(size[0] / step[0]), int(size[1] / step[1]))
    return read_averaged(lambda w: pixels[w[0] : w[0] + w[2], w[1] : w[1] + w[3]], size, step, window or whole)


def test_an_edge_divides_a_pixel():
    """Of 0, 30, 90: the first mean is of one pixel and half of the second, the next of the other half and the third."""
    pixels = np.array([[0, 30, 90]], np.uint8)[..., None].repeat(3, axis=0)
    np.testing.assert_array_equal(average(pixels, (1.5, 1.5))[..., 0], [[10, 70], [10, 70]])


def test_whole_steps_are_means_of_squares():
    pixels = RNG.random((12, 20, 2)).astype(np.float32)
    squares = pixels.reshape(3, 4, 5, 4, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(average(pixels, (4.0, 4.0)), squares, rtol=1e-6)


@pytest.mark.parametrize("step", [(1.3, 1.3), (2.0, 3.7), (2.2044088176352705, 2.2)])
def test_windows_are_pieces_of_the_whole(step, monkeypatch):
    pixels = RNG.integers(0, 2**16, (61, 83, 3), np.uint16)
    whole = average(pixels, step)
    monkeypatch.setattr(average_pixels, "AT_ONCE", 200)
    np.testing.assert_array_equal(average(pixels, step), whole)
    for _ in range(50):
        y, x = RNG.integers(0, whole.shape[0]), RNG.integers(0, whole.shape[1])
        h, w = RNG.integers(1, whole.shape[0] - y + 1), RNG.integers(1, whole.shape[1] - x + 1)
        np.testing.assert_array_equal(average(pixels, step, (y, x, h, w)), whole[y : y + h, x : x + w])


def test_a_band_is_read_at_a_time():
    """A window of 100 x 100 over 64 x 64 pixels each would be 41 million pixels."""
    largest = 0

    def read(window: Window) -> np.ndarray:
        nonlocal largest
        largest = max(largest, window[2] * window[3])
        return np.zeros((window[2], window[3], 1), np.uint8)

    assert read_averaged(read, (6400, 6400), (64.0, 64.0), (0, 0, 100, 100)).shape == (100, 100, 1)
    assert largest <= average_pixels.AT_ONCE
