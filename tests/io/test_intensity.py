"""Stored values become [0, 1] by the range asked for, or by the statistics of the whole image."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from segapp.errors import SegappError
from segapp.io import Image
from segapp.io.intensity import compute_bounds, require_range, scale_values
from segapp.spec import Intensity
from tests.io.sample_files import save

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.uint32, np.float16, np.float32, np.float64])
def test_range_maps_low_to_0_and_high_to_1(tmp_path: Path, dtype: type) -> None:
    path = save(tmp_path / "a.tif", np.array([[5, 10, 15, 20, 25]], dtype))
    pixels = Image(path, intensity=Intensity("range", 10, 20)).read()
    assert pixels.dtype == np.float32
    assert pixels.ravel().tolist() == [0, 0, 0.5, 1, 1]


def test_percentiles_are_per_channel_and_of_the_whole_image(tmp_path: Path) -> None:
    ramp = np.arange(10100, dtype=np.uint16).reshape(100, 101)
    path = save(tmp_path / "a.tif", np.stack([ramp, ramp * 3]), photometric="minisblack", compression="deflate")
    reference = Image(path, 2, Intensity("percentile", 0, 100))
    whole = reference.read()
    np.testing.assert_allclose(whole[..., 0], ramp / 10099, rtol=1e-6)
    np.testing.assert_allclose(whole[..., 0], whole[..., 1], rtol=1e-6)
    fresh = Image(path, 2, Intensity("percentile", 0, 100))
    np.testing.assert_array_equal(fresh.read_window(20, 30, 10, 12), whole[20:30, 30:42])


def test_zscore_puts_the_mean_in_the_middle(tmp_path: Path) -> None:
    pixels = RNG.normal(1000, 50, (64, 64)).astype(np.float32)
    scaled = Image(save(tmp_path / "a.tif", pixels), intensity=Intensity("zscore")).read()
    assert scaled.mean() == pytest.approx(0.5, abs=1e-5)
    assert scaled.std() == pytest.approx(1 / 8, rel=1e-4)


@pytest.mark.parametrize("kind", ["zscore", "percentile"])
def test_an_image_of_one_value_becomes_0(tmp_path: Path, kind: str) -> None:
    intensity = Intensity("percentile", 1, 99) if kind == "percentile" else Intensity("zscore")
    assert (Image(save(tmp_path / "a.tif", np.full((9, 9), 77, np.uint16)), intensity=intensity).read() == 0).all()


def test_bounds_by_hand() -> None:
    values = [np.array([[0, 10], [50, 10]]), np.array([[100, 10]])]
    low, high = compute_bounds(Intensity("percentile", 0, 50), values)
    assert (low.tolist(), high.tolist()) == ([0, 10], [50, 10])
    low, high = compute_bounds(Intensity("zscore"), [np.array([[2], [4], [6], [8]])])
    assert (low[0], high[0]) == pytest.approx((5 - 4 * 5**0.5, 5 + 4 * 5**0.5))
    assert compute_bounds(Intensity("range", -160, 240), []) == (np.array([-160]), np.array([240]))
    assert scale_values(np.array([[-1.0, 5, 12]]), np.array([0]), np.array([10])).tolist() == [[0, 0.5, 1]]


@pytest.mark.parametrize("pixels", [np.zeros((2, 2), np.uint16), np.full((2, 2), 1.5), np.array([[np.nan]])])
def test_pixels_that_no_network_takes_are_refused(pixels: np.ndarray) -> None:
    with pytest.raises(SegappError, match=r"^scan\.png: "):
        require_range(pixels, "scan.png")
    require_range(np.full((2, 2), 255, np.uint8), "scan.png")
    require_range(np.array([[-1e-4, 1 + 1e-4]]), "scan.png")  # what interpolation leaves


def test_scaling_in_bands_is_exact_and_takes_little_more_than_its_result() -> None:
    pixels = np.random.default_rng(0).integers(0, 65536, (1500, 2000, 3)).astype(np.uint16)
    low, high = np.array([5.0, 100.0, 7.0]), np.array([60000.0, 40000.0, 7.0])
    tracemalloc.start()
    scaled = scale_values(pixels, low, high)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * scaled.nbytes
    expected = np.clip(((pixels - low) / np.where(high > low, high - low, np.inf)).astype(np.float32), 0, 1)
    assert np.array_equal(scaled, expected)
    assert scale_values(np.zeros((0, 3), np.uint16), low, high).shape == (0, 3)
