"""Measure which mirrorings and turns leave the statistics of a data set unchanged."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

Motion = Literal["mirror left-right", "mirror up-down", "quarter turn"]
MOTIONS: tuple[Motion, ...] = ("mirror left-right", "mirror up-down", "quarter turn")

GRID = 8
"""Class maps are compared on a grid of so many cells a side."""

DIRECTIONS = 16
"""Bins of the direction of the intensity gradient, from 0 to 360 degrees."""

MIN_IMAGES = 8
"""With fewer images a random sign for each cannot reach a p value under 0.01."""

ROUNDS = 999
"""Random sign patterns of the test."""


@dataclass(frozen=True)
class Arrangement:
    """The positions of the classes in one image, and the directions in which its intensities rise."""

    class_map: np.ndarray
    """(K, GRID, GRID) float32: fraction of each cell that belongs to each class."""
    directions: np.ndarray
    """(DIRECTIONS,) float32: fraction of the gradient's magnitude in each direction; sums to 1, or all 0."""


@dataclass(frozen=True)
class Symmetry:
    """How a data set changes under one motion."""

    motion: Motion
    asymmetry: float
    """0 where motion changes every image differently, 1 where it changes all in the same way; NaN if not measured."""
    p_value: float
    """Of the hypothesis that an image and its moved copy are equally likely; NaN if not measured."""

    @property
    def is_safe(self) -> bool:
        """Return whether the motion may augment: images so moved could belong to the data set."""
        return self.asymmetry < MAX_ASYMMETRY or self.p_value >= 0.01


MAX_ASYMMETRY = 0.4
"""Above this, a motion loses most of what an image has in common with the others; see docs/plan.md."""


def describe_arrangement(grey: np.ndarray, mask: np.ndarray, num_classes: int) -> Arrangement:
    """Describe one image by its class map and its gradient directions.

    Args:
        grey: (H, W) float32.
        mask: (H, W) uint8 class indices, 255 = ignore.
        num_classes: K.
    """
    present = np.bincount(mask.ravel(), minlength=256) > 0
    maps = [
        cv2.resize((mask == index).astype(np.float32), (GRID, GRID), interpolation=cv2.INTER_AREA)
        if present[index]
        else np.zeros((GRID, GRID), np.float32)
        for index in range(num_classes)
    ]
    grey = cv2.GaussianBlur(grey, (0, 0), 1.0)
    rise_x = cv2.Sobel(grey, cv2.CV_32F, 1, 0)
    rise_y = cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    magnitude, angle = cv2.cartToPolar(rise_x, rise_y)
    # Half a bin of shift: the axes are in the middle of a bin, so that mirroring and turning map bins onto bins.
    bins = (angle * (DIRECTIONS / (2 * np.pi)) + 0.5).astype(np.int32) % DIRECTIONS
    directions = np.bincount(bins.ravel(), magnitude.ravel(), DIRECTIONS)
    return Arrangement(np.stack(maps), (directions / max(directions.sum(), 1e-12)).astype(np.float32))


def move_arrangement(arrangement: Arrangement, motion: Motion) -> Arrangement:
    """Return the arrangement of the mirrored or turned image (a quarter turn is counter-clockwise on the screen)."""
    bins = np.arange(DIRECTIONS)
    if motion == "mirror left-right":
        return Arrangement(
            arrangement.class_map[:, :, ::-1], arrangement.directions[(DIRECTIONS // 2 - bins) % DIRECTIONS]
        )
    if motion == "mirror up-down":
        return Arrangement(arrangement.class_map[:, ::-1], arrangement.directions[-bins % DIRECTIONS])
    quarter = DIRECTIONS // 4
    return Arrangement(
        np.rot90(arrangement.class_map, axes=(1, 2)), arrangement.directions[(bins + quarter) % DIRECTIONS]
    )


def measure_symmetry(arrangements: Sequence[Arrangement], motion: Motion, seed: int = 0) -> Symmetry:
    """Test whether a motion changes all images of a data set in the same way.

    Let d be the change of an image's description by the motion. If images and their moved copies are equally likely,
    the sign of each d is random, and the length of the sum of all d is no larger than with random signs. The
    asymmetry is (n |mean d|² - mean |d|²) / ((n - 1) mean |d|²), an unbiased estimate of the part of |d|² that all
    images share. Class maps and gradient directions have equal weight.
    """
    count = len(arrangements)
    if count < MIN_IMAGES:
        return Symmetry(motion, float("nan"), float("nan"))
    changes = [
        _normalise(np.stack([_measure_change(arrangement, motion)[part] for arrangement in arrangements]))
        for part in range(2)
    ]
    change = np.concatenate(changes, axis=1)
    power = float((change**2).sum(axis=1).mean())
    if power < 1e-12:
        return Symmetry(motion, 0.0, 1.0)
    shared = float((change.mean(axis=0) ** 2).sum())
    asymmetry = (count * shared - power) / ((count - 1) * power)
    signs = np.random.default_rng(seed).choice((-1.0, 1.0), size=(ROUNDS, count))
    lengths = ((signs @ change / count) ** 2).sum(axis=1)
    p_value = (1 + int((lengths >= shared).sum())) / (1 + ROUNDS)
    return Symmetry(motion, max(0.0, asymmetry), p_value)


def _measure_change(arrangement: Arrangement, motion: Motion) -> tuple[np.ndarray, np.ndarray]:
    moved = move_arrangement(arrangement, motion)
    return (arrangement.class_map - moved.class_map).ravel(), arrangement.directions - moved.directions


def _normalise(changes: np.ndarray) -> np.ndarray:
    """Scale (n, d) so that the mean squared length of a row is 1; all zeros stay."""
    power = (changes**2).sum(axis=1).mean()
    return changes / np.sqrt(power) if power > 1e-12 else np.zeros_like(changes)
