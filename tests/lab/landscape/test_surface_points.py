"""The points of a landscape are its lines and then its plane."""

import numpy as np

from segapp.lab.landscape.surface_points import SurfacePoints


def test_points_are_lines_and_then_rows():
    points = SurfacePoints(2, (0, 1), np.array([-1.0, 0.0, 1.0]), np.array([5.0, 6.0]))
    steps = points.list_steps()
    assert steps[0] == {0: -1.0} and steps[21] == {1: -1.0} and steps[10] == {0: 0.0}
    assert steps[42:] == [{0: a, 1: b} for b in (5.0, 6.0) for a in (-1.0, 0.0, 1.0)]
    lines, pointse = points.split_losses(np.array([sum(10 * i + v for i, v in step.items()) for step in steps]))
    assert lines.shape == (2, 21) and pointse.shape == (2, 3)
    assert pointse.tolist() == [[14.0, 15.0, 16.0], [15.0, 16.0, 17.0]]
