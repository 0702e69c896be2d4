"""The temperature that makes probabilities agree with masks: fitted to a sample of pixels (Guo et al. 2017)."""

import math
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor

from segapp.batch import IGNORE_INDEX
from segapp.errors import SegappError

MOST_PIXELS, MOST_LOGITS = 2**18, 2**24
"""Size of a sample: further pixels change the third digit of a temperature at most."""

LOWEST, HIGHEST = 0.05, 20.0
"""Limits of what is fitted."""


class PixelSample(NamedTuple):
    """Pixels of one image, or of a band of it, sampled among those that are not ignored."""

    name: str
    logits: np.ndarray
    """(P, K) float32."""
    target: np.ndarray
    """(P,) uint8 class indices."""


class FittedTemperature(NamedTuple):
    """A temperature, and the cross-entropy of the sample without and with it."""

    temperature: float
    before: float
    after: float
    pixels: int
    images: int


class PixelSampler:
    """Samples pixels of every image while it is segmented.

    Args:
        images: The number of images, of all processes.
        classes: K.
        seed: Of the sample.
    """

    def __init__(self, images: int, classes: int, seed: int) -> None:
        self.count = max(1, min(MOST_PIXELS, MOST_LOGITS // classes) // max(1, images))
        self.seed = seed
        self.samples: list[PixelSample] = []
        self.skipped = 0
        """Images with classes that were not looked for: which class their background is, is unknown."""

    def begin(self, name: str, target: np.ndarray, looked_for: Tensor | None = None) -> None:
        """Choose the pixels of an image with (H, W) target class indices, 255 = ignore."""
        self._name, self._target = name, target.ravel()
        self._chosen = choose_pixels(self._target, self.count, self.seed, name)
        if looked_for is not None and not looked_for.all():
            self._chosen, self.skipped = self._chosen[:0], self.skipped + 1

    def add(self, y: int, logits: Tensor | np.ndarray) -> None:
        """Keep the logits (K, h, W) of the chosen pixels of a band whose first row is `y`."""
        _, rows, width = logits.shape
        chosen = self._chosen[(self._chosen >= y * width) & (self._chosen < (y + rows) * width)]
        values = torch.as_tensor(logits)
        kept = values.flatten(1)[:, torch.from_numpy(chosen - y * width).to(values.device)]
        self.samples.append(PixelSample(self._name, kept.T.cpu().numpy(), self._target[chosen]))


def choose_pixels(target: np.ndarray, count: int, seed: int, name: str) -> np.ndarray:
    """Choose (P,) positions in a flat mask, in order, P ≤ count: a function of the seed, the image's name and mask."""
    known = np.flatnonzero(target != IGNORE_INDEX)
    if len(known) <= count:
        return known
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    return known[np.sort(rng.choice(len(known), count, replace=False, shuffle=False))]


def fit_temperature(samples: Sequence[PixelSample]) -> FittedTemperature:
    """Return the temperature of the smallest cross-entropy.

    The order of the samples changes nothing.

    Raises:
        SegappError: There is no pixel.
    """
    samples = sorted((one for one in samples if len(one.target)), key=lambda one: one.name)
    if not samples:
        raise SegappError(
            "no pixel to fit a temperature to: every pixel of the validation masks is ignored, or every image has "
            "classes that were not looked for."
        )
    logits = torch.from_numpy(np.concatenate([one.logits for one in samples])).double()
    target = torch.from_numpy(np.concatenate([one.target for one in samples])).long()
    found = minimize_scalar(
        lambda exponent: _compute_nll(logits, target, math.exp(exponent)),
        bounds=(math.log(LOWEST), math.log(HIGHEST)),
        method="bounded",
        options={"xatol": 1e-4},
    )
    before, temperature = _compute_nll(logits, target, 1.0), math.exp(float(found.x))
    after = _compute_nll(logits, target, temperature)
    if after >= before:
        temperature, after = 1.0, before
    return FittedTemperature(temperature, before, after, len(target), len({one.name for one in samples}))


def _compute_nll(logits: Tensor, target: Tensor, temperature: float) -> float:
    """Compute the mean cross-entropy of (P, K) logits at a temperature."""
    return float(torch.nn.functional.cross_entropy(logits / temperature, target))
