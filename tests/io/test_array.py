"""An array becomes what a file of the same values becomes."""

import numpy as np
import pytest
import tifffile

from segapp.errors import MisuseError
from segapp.io import Image, scale_array
from segapp.spec import Intensity

VALUES = np.random.default_rng(0).integers(0, 4000, (20, 30, 3), np.uint16)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "intensity", [Intensity("range", 0, 4000), Intensity("percentile", 1, 99), Intensity("zscore")]
)
def test_an_array_is_scaled_as_a_file(tmp_path, intensity, channels):
    tifffile.imwrite(tmp_path / "a.tif", VALUES, photometric="rgb")
    expected = Image(tmp_path / "a.tif", channels, intensity).read()
    np.testing.assert_allclose(scale_array(VALUES, channels, intensity), expected, atol=1e-5)


def test_scaled_values_and_bytes_are_taken_unchanged():
    scaled = (VALUES / 4000).astype(np.float64)
    np.testing.assert_array_equal(scale_array(scaled, 3, Intensity("range", 0, 4000)), scaled.astype(np.float32))
    grey = np.arange(6, dtype=np.uint8).reshape(2, 3)
    np.testing.assert_array_equal(scale_array(grey, 3, Intensity()), np.stack([grey] * 3, axis=2))


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (np.zeros((2, 2, 4), np.uint8), "4 channels"),
        (np.zeros((2, 2), bool), "bool"),
        (np.zeros((0, 2), np.uint8), "not empty"),
        (np.array([[np.inf]]), "infinite"),
        (VALUES, "uint16"),
    ],
)
def test_other_arrays_are_refused(pixels, words):
    with pytest.raises(MisuseError, match=words):
        scale_array(pixels, 3, Intensity())
