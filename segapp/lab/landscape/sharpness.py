"""Measure how sharp a minimum is, from the losses on a line through it."""

from dataclasses import dataclass

import numpy as np

from segapp.lab.landscape.surface_points import LINE

NEAR = 0.5
"""Positions up to this distance from the minimum count."""


@dataclass(frozen=True)
class Sharpness:
    """Sharpness along one line through the minimum; a unit of its axis is a step as long as the filters."""

    curvature: float
    """The mean second difference within ±0.5, in loss per square unit."""
    rise: float
    """The largest loss within ±0.5, minus that at the centre."""


def measure_sharpness(losses: np.ndarray) -> Sharpness:
    """Measure the sharpness from the losses (T,) at the positions of `LINE`."""
    near = losses[np.abs(LINE) <= NEAR + 1e-9]
    centre = losses[len(LINE) // 2]
    return Sharpness(float(np.diff(near, 2).mean() / (LINE[1] - LINE[0]) ** 2), float(near.max() - centre))
