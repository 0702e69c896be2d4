"""Counts of 8-bit values are those of numpy."""

import numpy as np
import pytest

from segapp.datasets import value_counts

ALL = np.arange(600).astype(np.uint8).reshape(20, 30)


@pytest.mark.parametrize("pixels", [ALL, ALL % 3, ALL[:0]], ids=["all values", "three classes", "no pixel"])
def test_counts_are_those_of_numpy(pixels, monkeypatch):
    monkeypatch.setattr(value_counts, "EXACT", 90)  # counted in several parts
    for view in (pixels, pixels[:, ::2], pixels.T):
        np.testing.assert_array_equal(value_counts.count_values(view), np.bincount(view.ravel(), minlength=256))


def test_a_channel_is_counted_by_itself():
    pixels = np.stack([ALL, ALL % 3], axis=2)
    np.testing.assert_array_equal(value_counts.count_values(pixels, 1), np.bincount((ALL % 3).ravel(), minlength=256))
