"""Presets on any channels and dtypes."""

from typing import Any

import numpy as np
import pytest

from segapp.transforms import Augmenter, Medical, Microscopy, Natural, Photometric, Preset
from tests.transforms.common import pair


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 16])
@pytest.mark.parametrize("preset", [Natural, Microscopy, Medical, Photometric])
def test_presets_take_any_channels_and_repeat_with_the_seed(preset: type[Preset], channels: int, dtype: Any) -> None:
    image, mask = pair(channels, dtype)
    given = image.copy()
    one, other = Augmenter([preset()], channels), Augmenter([preset()], channels)
    changed = [one.change_values(image, mask, seed) for seed in range(20)]
    again = [other.change_values(image, mask, seed) for seed in reversed(range(20))][::-1]
    for (first, first_mask), (second, _) in zip(changed, again, strict=True):
        assert (first.shape, first.dtype) == (image.shape, image.dtype)
        np.testing.assert_array_equal(first, second)
        np.testing.assert_array_equal(first_mask, mask)
        assert dtype == np.uint8 or (first.min() >= 0 and first.max() <= 1)
    assert len({values.tobytes() for values, _ in changed}) > 3
    np.testing.assert_array_equal(image, given)
