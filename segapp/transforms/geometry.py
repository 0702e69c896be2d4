"""Geometric augmentations: linear maps that are sampled before a crop is read."""

from abc import ABC, abstractmethod

import numpy as np

from segapp.errors import MisuseError

QUARTER_TURNS = np.array([[[1, 0], [0, 1]], [[0, -1], [1, 0]], [[-1, 0], [0, -1]], [[0, 1], [-1, 0]]], float)
"""The matrices of no turn, one, two and three."""


class Geometry(ABC):
    """A linear map about the centre of a crop, sampled before the crop is read."""

    @abstractmethod
    def sample(self, rng: np.random.Generator) -> np.ndarray:
        """Sample (2, 2) float: from (x, y) relative to the crop's centre to the same in the stored image."""


class Flips(Geometry):
    """Mirror images, each way with probability 1/2; `turns` adds the four quarter turns."""

    def __init__(self, horizontal: bool = True, vertical: bool = False, turns: bool = False) -> None:
        self.horizontal, self.vertical, self.turns = horizontal, vertical, turns

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        """Sample one of up to eight signed permutations: no pixel is interpolated."""
        left, up = rng.integers(2, size=2)
        turns = int(rng.integers(4))
        mirrored = np.array([[1 - 2.0 * (self.horizontal and left)], [1 - 2.0 * (self.vertical and up)]])
        return mirrored * QUARTER_TURNS[turns if self.turns else 0]


class Affine(Geometry):
    """Rotation by up to `rotate` degrees either way, zoom by a factor in `scale` (2 doubles sizes), shear.

    Args:
        rotate: Largest angle in degrees.
        scale: Lowest and highest zoom; sampled evenly in its logarithm.
        shear: Largest angle in degrees.
        p: Probability.
    """

    def __init__(
        self,
        rotate: float = 15.0,
        scale: tuple[float, float] = (0.8, 1.25),
        shear: float = 0.0,
        p: float = 0.5,
    ) -> None:
        if not 0 < scale[0] <= scale[1]:
            raise MisuseError(f"Affine: scale must be a lowest and a highest zoom above 0, got {scale}.")
        if not abs(shear) < 90:
            raise MisuseError(f"Affine: shear must be below 90 degrees, got {shear}.")
        if not 0 <= p <= 1:
            raise MisuseError(f"Affine: p must be a probability, 0 … 1, got {p}.")
        self.rotate, self.scale, self.shear, self.p = rotate, scale, shear, p

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        """Sample the identity with probability 1 - p."""
        uniform, *even = rng.random(4)
        if uniform >= self.p:
            return np.eye(2)
        angle, shear = np.deg2rad([self.rotate, self.shear]) * (2 * np.array(even[:2]) - 1)
        zoom = self.scale[0] * (self.scale[1] / self.scale[0]) ** even[2]
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return turn @ np.array([[1, np.tan(shear)], [0, 1]]) / zoom
