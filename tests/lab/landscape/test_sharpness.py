"""Sharpness is measured near the minimum."""

import numpy as np
import pytest

from segapp.lab.landscape.sharpness import measure_sharpness
from segapp.lab.landscape.surface_points import LINE


def test_the_sharpness_of_a_parabola():
    of = measure_sharpness(0.1 + 3 * LINE**2)
    assert of.curvature == pytest.approx(6)
    assert of.rise == pytest.approx(0.75)


def test_what_lies_far_away_says_nothing_of_sharpness():
    far = np.where(np.abs(LINE) > 0.55, 1e6, LINE**2)
    assert measure_sharpness(far).curvature == pytest.approx(2)
    assert measure_sharpness(far).rise == pytest.approx(0.25)
