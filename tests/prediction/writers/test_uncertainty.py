"""Uncertainty is the entropy of the classes in 256 steps."""

import numpy as np

from segapp.prediction.writers.uncertainty import measure_uncertainty


def test_certain_is_0_and_undecided_255():
    probabilities = np.array([[[1, 0.5, 1 / 3]], [[0, 0.5, 1 / 3]], [[0, 0, 1 / 3]]], np.float32)
    assert measure_uncertainty(probabilities).tolist() == [[0, 161, 255]]  # log 2 / log 3 = 0.631
