"""Uncertainty is the entropy of the classes in 256 steps."""

import numpy as np
import pytest

from segapp.io import read_raw
from segapp.prediction.writers.uncertainty import measure_uncertainty
from tests.prediction.predicting import make_run, put, scene


def test_certain_is_0_and_undecided_255():
    probabilities = np.array([[[1, 0.5, 1 / 3]], [[0, 0.5, 1 / 3]], [[0, 0, 1 / 3]]], np.float32)
    assert measure_uncertainty(probabilities).tolist() == [[0, 161, 255]]  # log 2 / log 3 = 0.631


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path)


def test_uncertainty_is_the_entropy_over_its_largest_value(run, tmp_path):
    put(tmp_path / "images", "a.png", scene(40, 50)[0])
    put(tmp_path / "images", "c.tif", scene(300, 50)[0])
    assert run(["uncertainty", "probability"]) == 0
    for name, suffix in (("a", ".png"), ("c", ".tif")):
        p = np.load(tmp_path / "out" / "probability" / f"{name}.npy").astype(float)
        entropy = -(p * np.log(np.maximum(p, 1e-9))).sum(0) / np.log(2)
        found = read_raw(tmp_path / "out" / "uncertainty" / f"{name}{suffix}")
        assert np.abs(found / 255 - entropy).max() < 0.02
