"""Connected regions against SciPy's, class by class; `test_objects` has a flood fill for their pairs."""

import numpy as np
import pytest
from scipy.ndimage import label

from segapp.metrics.regions import find_regions


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (17, 23)])
@pytest.mark.parametrize("values", [[0, 1], [0, 1, 2, 255], [255]])
def test_regions_are_those_of_each_class_alone(shape: tuple[int, int], values: list[int]) -> None:
    indices = np.random.default_rng(0).choice(np.array(values, np.uint8), shape)
    found = find_regions(indices)
    pixels = np.repeat(found.owners, np.diff(found.starts, append=indices.size)).reshape(shape)
    assert np.array_equal(pixels == -1, indices == 255)
    for value in set(values) - {255}:
        expected, count = label(indices == value, np.ones((3, 3)))
        pairs = np.unique(np.stack([expected.ravel(), pixels.ravel()])[:, expected.ravel() > 0], axis=1)
        assert pairs.shape[1] == count == (found.classes == value).sum()  # one to one
        assert sorted(found.areas[found.classes == value]) == sorted(np.bincount(expected.ravel())[1:])
