"""Every pixel is divided among the windows that see it, wholly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segapp.inference.blend import compute_profile, compute_weights
from segapp.inference.windows import GRID, list_window_starts

KINDS = ["gaussian", "cosine", "none"]


@pytest.mark.parametrize("blend", KINDS)
@pytest.mark.parametrize("length", [1, 2, 7, 512, 4096])
def test_profiles_are_positive_symmetric_and_highest_in_the_middle(blend, length):
    weights = compute_profile(blend, length)
    assert weights.dtype == np.float32
    assert (weights > 0).all()
    assert np.allclose(weights, weights[::-1])
    assert weights.argmax() in ((length - 1) // 2, length // 2) or blend == "none"


@given(st.sampled_from(KINDS), st.integers(1, 800), st.integers(1, 200), st.floats(0, 0.9))
def test_the_shares_of_a_pixel_sum_to_one(blend, length, window, overlap):
    first = list_window_starts(length, window, overlap)
    total = np.zeros(length + GRID)  # the last window may reach beyond the end
    for start, share in zip(first, compute_weights(blend, length, window, first), strict=True):
        assert (share > 0).all()
        total[start : start + len(share)] += share
    total = total[:length]
    assert np.allclose(total, 1, atol=1e-5)


def test_two_windows_share_a_pixel_by_their_weights():
    first, second = compute_weights("none", 6, 4, [0, 2])
    assert first.tolist() == [1, 1, 0.5, 0.5]
    assert second.tolist() == [0.5, 0.5, 1, 1]
