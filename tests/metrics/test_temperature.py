"""Temperatures are found again, whatever the order of the samples and the bands of an image."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from segapp.errors import SegappError
from segapp.metrics.temperature import HIGHEST, LOWEST, PixelSample, PixelSampler, choose_pixels, fit_temperature


def sample(temperature: float, pixels: int = 4000, classes: int = 3, name: str = "a") -> PixelSample:
    """Pixels whose classes are sampled by the softmax of the logits over the temperature."""
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 3, (pixels, classes)).astype(np.float32)
    probabilities = torch.from_numpy(logits / temperature).double().softmax(1).numpy()
    target = (probabilities.cumsum(1) < rng.random((pixels, 1))).sum(1).clip(0, classes - 1)
    return PixelSample(name, logits, target.astype(np.uint8))


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_temperature_of_the_smallest_cross_entropy_is_found(temperature: float) -> None:
    pixels = sample(temperature)
    found = fit_temperature([pixels])
    assert found.temperature == pytest.approx(temperature, rel=0.1) and found.pixels == 4000
    logits, target = torch.from_numpy(pixels.logits).double(), torch.from_numpy(pixels.target).long()
    grid = np.geomspace(LOWEST, HIGHEST, 200)
    values = [float(torch.nn.functional.cross_entropy(logits / each, target)) for each in grid]
    assert found.temperature == pytest.approx(grid[np.argmin(values)], rel=0.04)
    assert found.after <= min(found.before, *values) + 1e-9


def test_the_order_of_images_changes_nothing() -> None:
    samples = [sample(2.0, 50, name=name) for name in "abc"]
    assert fit_temperature(samples) == fit_temperature(samples[::-1])


def test_certain_and_right_pixels_stay_within_the_limits_and_no_pixel_is_refused() -> None:
    logits = np.float32([[9, 0], [0, 9]])
    assert LOWEST <= fit_temperature([PixelSample("a", logits, np.uint8([0, 1]))]).temperature < 1
    with pytest.raises(SegappError, match="no pixel"):
        fit_temperature([PixelSample("a", logits[:0], np.uint8([]))])


def test_pixels_are_a_function_of_seed_and_name_and_bands_do_not_matter() -> None:
    rng = np.random.default_rng(3)
    target = rng.integers(0, 2, (20, 30)).astype(np.uint8)
    target[:5] = 255
    logits = rng.normal(size=(2, 20, 30)).astype(np.float32)
    found = []
    for bands in ((0, 20), (0, 3, 11, 20)):
        sampler = PixelSampler(3, 2, seed=1)
        sampler.count = 40
        sampler.begin("x", target)
        for top, bottom in pairwise(bands):
            sampler.add(top, torch.from_numpy(logits[:, top:bottom]))
        found.append([np.concatenate([getattr(one, key) for one in sampler.samples]) for key in ("logits", "target")])
    (first, labels), (second, others) = found
    assert len(labels) == 40 and 255 not in labels and np.array_equal(first, second) and np.array_equal(labels, others)
    chosen = choose_pixels(target.ravel(), 40, 1, "x")
    assert np.array_equal(labels, target.ravel()[chosen]) and np.array_equal(first, logits.reshape(2, -1).T[chosen])
    assert not np.array_equal(chosen, choose_pixels(target.ravel(), 40, 1, "y"))
    sampler.begin("partial", target, torch.tensor([True, False]))
    sampler.add(0, logits)
    assert sampler.skipped == 1 and len(sampler.samples[-1].target) == 0
