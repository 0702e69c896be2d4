"""Windows cover every pixel, lie inside, and are as few as the overlap allows."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segapp.inference.windows import GRID, find_image_start, list_window_ends, list_window_starts, pad_crop
from segapp.loading.samples import crop_or_pad

lengths = st.integers(1, 3000)
sides = st.integers(1, 600)
overlaps = st.floats(0, 0.9)


def aligned(window, step):
    return window >= 64 and step >= 32


@given(lengths, sides, overlaps)
def test_windows_cover_every_pixel_and_lie_inside(length, window, overlap):
    first = list_window_starts(length, window, overlap)
    assert first[0] == 0
    assert first == sorted(set(first))
    if length <= window:
        assert first == [0]
    else:
        assert length <= first[-1] + window < length + GRID
        assert all(after - before <= window for before, after in pairwise(first))


@given(lengths, sides, overlaps)
def test_neighbours_share_at_least_the_overlap_unless_a_pixel_apart(length, window, overlap):
    first = list_window_starts(length, window, overlap)
    shared = [window - (after - before) for before, after in pairwise(first)]
    assert all(rows >= min(overlap * window - 1e-6, window - 1) for rows in shared)


@given(lengths, sides, overlaps)
def test_one_window_fewer_would_not_reach_the_end(length, window, overlap):
    first = list_window_starts(length, window, overlap)
    if len(first) > 1:
        step = max(1, int(window * (1 - overlap)))
        step -= step % GRID if aligned(window, step) else 0
        assert (len(first) - 2) * step + window < length


@given(lengths, sides, overlaps)
def test_the_steps_are_even(length, window, overlap):
    first = list_window_starts(length, window, overlap)
    steps = {after - before for before, after in pairwise(first)}
    assert not steps or max(steps) - min(steps) in (0, 1, GRID)


@given(lengths, st.integers(64, 600), st.floats(0, 0.5))
def test_every_window_starts_where_pooling_starts_afresh(length, window, overlap):
    assert all(start % 32 == 0 for start in list_window_starts(length, window, overlap))


def test_each_window_owns_the_pixels_up_to_the_next():
    assert list_window_ends([0, 30, 50], 90) == [30, 50, 90]


sides = st.integers(1, 12)


@given(sides, sides, st.integers(0, 30), st.integers(0, 30), st.integers(0, 9), st.integers(0, 9))
def test_padding_keeps_the_image_and_brings_no_new_values(height, width, down, right, up, left):
    crop = np.arange(height * width, dtype=np.uint8).reshape(height, width, 1)
    y, x = min(up, down), min(left, right)
    grown = pad_crop(crop, (height + down, width + right), (y, x))
    assert grown.shape == (height + down, width + right, 1)
    assert grown.dtype == np.uint8
    assert (grown[y : y + height, x : x + width] == crop).all()
    assert set(np.unique(grown)) <= set(np.unique(crop))


def test_padding_mirrors_again_and_again():
    row = np.array([[1, 2, 3]])[..., None]
    assert pad_crop(row, (1, 8))[0, :, 0].tolist() == [1, 2, 3, 2, 1, 2, 3, 2]
    assert pad_crop(row, (1, 8), (0, 2))[0, :, 0].tolist() == [3, 2, 1, 2, 3, 2, 1, 2]


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.tuples(st.integers(1, 60), st.integers(1, 60)))
def test_a_small_image_is_padded_as_in_training(height, width, window):
    image = np.random.default_rng(0).integers(0, 255, (height, width, 1), np.uint8)
    mask = np.zeros((height, width), np.uint8)
    window = max(window[0], height), max(window[1], width)
    trained, _ = crop_or_pad(image, mask, window)
    np.testing.assert_array_equal(pad_crop(image, window, find_image_start((height, width), window)), trained)


def test_nothing_is_copied_where_nothing_is_missing():
    crop = np.zeros((4, 4, 3), np.uint8)
    assert pad_crop(crop, (4, 4)) is crop


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5])
def test_an_image_of_the_windows_own_size_takes_one_window(overlap):
    assert list_window_starts(512, 512, overlap) == [0]
    assert len(list_window_starts(513, 512, overlap)) == 2
