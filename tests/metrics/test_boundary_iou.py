"""Boundary IoU against loops over pixels, and against the erosion of the paper where the frame is far."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from segapp.metrics import BoundaryIoU, Comparison
from segapp.metrics.boundary_iou import compute_width, find_bands
from tests.metrics.test_boundary import DOT, EMPTY, FULL, drawn, square


def score(prediction: np.ndarray, mask: np.ndarray, classes: int = 2) -> list[float]:
    comparison = Comparison(torch.from_numpy(prediction), torch.from_numpy(mask), classes)
    return BoundaryIoU(["a"] * classes, None).update(comparison)[0].tolist()


def near(mask: np.ndarray, known: np.ndarray, width: int) -> np.ndarray:
    """Pixel by pixel: of the mask, with a known pixel outside it in the square around."""
    found = np.zeros_like(mask)
    for y, x in np.argwhere(mask):
        window = (slice(max(0, y - width), y + width + 1), slice(max(0, x - width), x + width + 1))
        found[y, x] = (known[window] & ~mask[window]).any()
    return found


@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
@settings(deadline=None, max_examples=25)
def test_bands_are_loops_over_pixels(seed: int, width: int) -> None:
    prediction, mask = drawn(seed)
    known = mask != 255
    for indices in (prediction, mask):
        bands = find_bands(indices, known, width)
        for label in range(3):
            expected = near((indices == label) & known, known, width)
            np.testing.assert_array_equal(bands == label, expected)


def test_far_from_the_frame_it_is_that_of_the_paper() -> None:
    rng = np.random.default_rng(0)
    masks = [np.pad(ndimage.gaussian_filter(rng.standard_normal((80, 80)), 6) > 0.02, 8) for _ in range(2)]
    width = compute_width(masks[0].shape)
    assert width == round(0.02 * math.hypot(96, 96)) == 3
    bands = [mask & ~ndimage.binary_erosion(mask, np.ones((3, 3)), iterations=width) for mask in masks]
    expected = (bands[0] & bands[1]).sum() / (bands[0] | bands[1]).sum()
    assert score(*(mask.astype(np.uint8) for mask in masks))[1] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("prediction", "mask", "expected"),
    [
        (EMPTY, EMPTY, math.nan),
        (FULL, FULL, 1),
        (EMPTY, DOT, 0),
        (FULL, EMPTY, 0),
        (DOT, DOT, 1),
        (FULL, square(0, 0, 6), 0),
        (square(4, 4, 4), square(4, 4, 3), (5 + 0) / (12 + 8 - 5)),
    ],
)
def test_empty_full_and_small_masks_by_hand(prediction, mask, expected) -> None:
    assert score(prediction, mask)[1] == pytest.approx(expected, nan_ok=True)


def test_ignored_pixels_hide_boundaries() -> None:
    mask, prediction = square(4, 4), square(4, 4)
    mask[:, 6:] = 255
    prediction[:, 6:] = 1
    assert score(prediction, mask)[1] == 1
    assert all(math.isnan(value) for value in score(prediction, np.full_like(mask, 255)))
