"""Boundary scores against loops over all pairs of pixels, and against scipy's erosion where the frame is far."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from segapp.errors import SegappError
from segapp.metrics import BoundaryScore, score_boundaries
from segapp.metrics.boundary import TOLERANCE, find_percentile

SPACINGS = [(1.0, 1.0), (0.5, 2.0), (3.0, 0.7)]


def boundary(indices: np.ndarray, mask: np.ndarray, label: int) -> list[tuple[int, int]]:
    """Pixel by pixel: of the class, known, and with a known neighbour of another class."""
    height, width = mask.shape
    found = []
    for y in range(height):
        for x in range(width):
            if mask[y, x] == 255 or indices[y, x] != label:
                continue
            for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1)):
                v, u = y + dy, x + dx
                inside = 0 <= v < height and 0 <= u < width and mask[v, u] != 255
                if inside and indices[v, u] != label:
                    found.append((y, x))
                    break
    return found


def nearest(points, others, spacing) -> list[float]:
    (sy, sx) = spacing
    return [min(math.hypot((y - v) * sy, (x - u) * sx) for v, u in others) for y, x in points]


def percentile_95(values: list[float]) -> float:
    ordered = sorted(values)
    place = 0.95 * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def reference(prediction, mask, label, tolerance, spacing) -> tuple[float, float]:
    known = mask != 255
    in_truth, in_guess = (mask[known] == label).any(), (prediction[known] == label).any()
    if not in_truth and not in_guess:
        return math.nan, math.nan
    truth, guess = boundary(mask, mask, label), boundary(prediction, mask, label)
    if in_truth and in_guess and not truth and not guess:
        return 1.0, 0.0
    if not truth or not guess or not (in_truth and in_guess):
        return 0.0, math.hypot(mask.shape[0] * spacing[0], mask.shape[1] * spacing[1])
    there, back = nearest(truth, guess, spacing), nearest(guess, truth, spacing)
    close = sum(distance <= tolerance for distance in there + back)
    return close / len(there + back), max(percentile_95(there), percentile_95(back))


def drawn(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Blobs or noise of up to three classes, with ignored regions now and then, of any small size."""
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 16, 2)
    masks = []
    for _ in range(2):
        noise = rng.standard_normal((height, width))
        smooth = ndimage.gaussian_filter(noise, rng.choice([0.0, 1.5, 3.0]))
        cuts = np.quantile(smooth, np.sort(rng.random(2)))
        masks.append(np.digitize(smooth, cuts).astype(np.uint8))
    prediction, mask = masks
    if rng.random() < 0.5:
        prediction = np.where(rng.random(mask.shape) < 0.2, prediction, np.roll(mask, rng.integers(-2, 3, 2), (0, 1)))
    if rng.random() < 0.5:
        y, x = rng.integers(0, height), rng.integers(0, width)
        mask[y : y + 4, x : x + 6] = 255
    return prediction, mask


@given(st.integers(0, 2**32 - 1), st.sampled_from(SPACINGS), st.sampled_from([0.0, 1.0, 2.0, 3.5]))
@settings(deadline=None, max_examples=150)
def test_scores_are_loops_over_pairs_of_pixels(seed, spacing, tolerance):
    prediction, mask = drawn(seed)
    for label, score in enumerate(score_boundaries(prediction, mask, 4, tolerance, spacing)):
        expected = reference(prediction, mask, label, tolerance, spacing)
        assert score == pytest.approx(expected, rel=1e-12, abs=1e-12, nan_ok=True)


def square(y: int, x: int, side: int = 4, size: int = 12) -> np.ndarray:
    mask = np.zeros((size, size), np.uint8)
    mask[y : y + side, x : x + side] = 1
    return mask


EMPTY, FULL = np.zeros((12, 12), np.uint8), np.ones((12, 12), np.uint8)
DOT = square(5, 5, side=1)
DIAGONAL = math.hypot(12, 12)


@pytest.mark.parametrize(
    ("prediction", "mask", "expected"),
    [
        (EMPTY, EMPTY, (math.nan, math.nan)),
        (FULL, FULL, (1, 0)),
        (EMPTY, DOT, (0, DIAGONAL)),
        (DOT, EMPTY, (0, DIAGONAL)),
        (FULL, EMPTY, (0, DIAGONAL)),
        (DOT, DOT, (1, 0)),
        (square(5, 6, 1), DOT, (1, 1)),
        (square(5, 8, 1), DOT, (0, 3)),
        (square(5, 7, 1), DOT, (1, 2)),
        (FULL, square(0, 0, 6), (0, DIAGONAL)),  # the truth has an outline, the prediction has none
        (square(0, 0, 6), square(0, 0, 6), (1, 0)),
    ],
)
def test_empty_full_and_single_pixels_by_hand(prediction, mask, expected):
    assert score_boundaries(prediction, mask, 2)[1] == pytest.approx(expected, nan_ok=True)
    assert score_boundaries(prediction, mask, 2)[1] == pytest.approx(
        reference(prediction, mask, 1, 2.0, (1, 1)), nan_ok=True
    )


def test_a_shifted_square_by_hand():
    """Moved by 3, a side on the other's: of 12 outline pixels these 4 and two pairs at distances 1 and 2 are near."""
    (_, score) = score_boundaries(square(4, 5), square(4, 2), 2)
    assert score == pytest.approx(reference(square(4, 5), square(4, 2), 1, 2.0, (1, 1)))
    assert score.hd95 == 3
    assert score.surface_dice == pytest.approx(2 * 8 / 24)


def test_the_frame_is_no_outline():
    """A half image that ends one pixel later: every outline pixel is 1 away, and the frame adds no agreement."""
    truth, guess = np.zeros((10, 10), np.uint8), np.zeros((10, 10), np.uint8)
    truth[:, :5], guess[:, :6] = 1, 1
    assert score_boundaries(guess, truth, 2, tolerance=0.5)[1] == (0, 1)


def test_ignored_pixels_hide_outlines_and_predictions():
    truth = square(4, 4)
    truth[:, 6:] = 255
    guess = square(4, 4, side=6)
    guess[4:10, 4:6] = square(4, 4)[4:10, 4:6]
    assert score_boundaries(guess, truth, 2)[1] == (1, 0)
    assert all(math.isnan(value) for score in score_boundaries(guess, np.full_like(truth, 255), 2) for value in score)


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=40)
def test_far_from_the_frame_the_outline_is_what_erosion_takes_away(seed):
    """As MedPy, MONAI and nnU-Net draw it: the mask without its erosion by a cross."""
    rng = np.random.default_rng(seed)
    masks = [np.pad(ndimage.gaussian_filter(rng.standard_normal((20, 20)), 2) > 0.05, 3) for _ in range(2)]
    outlines = [mask & ~ndimage.binary_erosion(mask) for mask in masks]
    if not all(outline.any() for outline in outlines):
        return
    truth, guess = outlines
    there = ndimage.distance_transform_edt(~guess)[truth]
    back = ndimage.distance_transform_edt(~truth)[guess]
    score = score_boundaries(masks[1].astype(np.uint8), masks[0].astype(np.uint8), 2)[1]
    assert score.hd95 == pytest.approx(max(np.percentile(there, 95), np.percentile(back, 95)))
    within = (there <= TOLERANCE).sum() + (back <= TOLERANCE).sum()
    assert score.surface_dice == pytest.approx(within / (len(there) + len(back)))


def test_spacing_scales_distances():
    plain = score_boundaries(square(4, 7), square(4, 2), 2)[1]
    scaled = score_boundaries(square(4, 7), square(4, 2), 2, tolerance=2 * TOLERANCE, spacing=(2.0, 2.0))[1]
    assert scaled == pytest.approx(BoundaryScore(plain.surface_dice, 2 * plain.hd95))


def test_shapes_that_differ_are_refused():
    with pytest.raises(SegappError, match=r"shape \(12, 12\).*shape \(3, 3\)"):
        score_boundaries(EMPTY, np.zeros((3, 3), np.uint8), 2)


def test_the_percentile_is_that_of_numpy() -> None:
    rng = np.random.default_rng(0)
    for count in (*range(1, 45), 1000):
        distances = np.sqrt(rng.integers(0, 30, count).astype(np.float64))
        assert find_percentile(distances) == np.percentile(distances, 95)
