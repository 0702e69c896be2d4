"""The largest memory of this process is at least what it used."""

import numpy as np

from segapp.system.peak_memory import read_peak_bytes


def test_the_peak_holds_what_was_used():
    size = np.ones(2_000_000).nbytes
    assert size < read_peak_bytes() < 1000 * 2**30
