"""Indices beyond the edges are those of the mirror image."""

import doctest

import numpy as np
import pytest

from segapp import mirror
from segapp.mirror import mirror_indices


def test_the_examples():
    assert not doctest.testmod(mirror).failed


@pytest.mark.parametrize("length", [1, 2, 3, 7])
def test_as_numpy_pads(length):
    line = np.arange(length)
    np.testing.assert_array_equal(mirror_indices(-9, length + 9, length), np.pad(line, 9, mode="reflect"))
