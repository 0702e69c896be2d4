"""An image as a network sees it: colours, channels and range are decided, or the file is refused."""

import logging
import pickle
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from segapp.errors import MisuseError, SegappError
from segapp.io import Image, image
from segapp.spec import Intensity
from tests.io.sample_files import save

RNG = np.random.default_rng(0)


GREY = RNG.integers(0, 256, (37, 50), np.uint8)


COLOUR = RNG.integers(0, 256, (37, 50, 3), np.uint8)


DEEP = RNG.integers(0, 65536, (37, 50), np.uint16)


def test_nothing_is_opened_before_use(tmp_path: Path) -> None:
    reference = Image(tmp_path / "a.png", 3)
    with pytest.raises(SegappError, match=r"a\.png: there is no such file"):
        reference.read()
    save(tmp_path / "a.png", GREY)
    assert reference.shape == (37, 50, 3)


def test_grey_and_colour_as_they_are(tmp_path: Path) -> None:
    for name, pixels in (("a.png", GREY), ("b.bmp", COLOUR)):
        reference = Image(save(tmp_path / name, pixels))
        np.testing.assert_array_equal(reference.read(), pixels.reshape(37, 50, -1))
        assert reference.read().dtype == reference.dtype == reference.stored_dtype == np.uint8
        assert reference.shape == reference.read().shape


def test_grey_becomes_three_equal_channels(tmp_path: Path) -> None:
    pixels = Image(save(tmp_path / "a.png", GREY), channels=3).read()
    np.testing.assert_array_equal(pixels, np.stack([GREY] * 3, axis=-1))


def test_colour_becomes_luminance(tmp_path: Path) -> None:
    primaries = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [7, 7, 7]]], np.uint8)
    assert Image(save(tmp_path / "a.png", primaries), channels=1).read().ravel().tolist() == [76, 150, 29, 7]
    deep = Image(
        save(tmp_path / "a.tif", primaries.astype(np.uint16), photometric="rgb"),
        1,
        Intensity("range", 0, 255),
    )
    np.testing.assert_allclose(deep.read().ravel() * 255, [76.245, 149.685, 29.07, 7], atol=1e-3)


def test_other_numbers_of_channels_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.tif", np.zeros((37, 50, 4), np.uint8), photometric="minisblack", planarconfig="contig")
    assert Image(path).shape == (37, 50, 4)
    with pytest.raises(SegappError, match=r"a\.tif: 4 channels, but 3 are needed"):
        _ = Image(path, channels=3).shape
    with pytest.raises(SegappError, match="3 channels, but 4 are needed"):
        Image(save(tmp_path / "b.png", COLOUR), channels=4).read()


def test_four_real_channels_stay_and_alpha_goes(tmp_path: Path) -> None:
    four = np.dstack([COLOUR, np.full((37, 50), 200, np.uint8)])
    real = save(tmp_path / "real.tif", four, photometric="minisblack", planarconfig="contig")
    alpha = save(tmp_path / "alpha.tif", four, photometric="rgb", extrasamples=["unassalpha"])
    np.testing.assert_array_equal(Image(real).read(), four)
    np.testing.assert_array_equal(Image(alpha).read(), COLOUR)
    np.testing.assert_array_equal(Image(save(tmp_path / "a.png", four)).read(), COLOUR)
    np.testing.assert_array_equal(Image(save(tmp_path / "b.png", four[..., 2:])).read(), four[..., 2:3])


def test_constant_alpha_is_reported_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    image._say_alpha_dropped.cache_clear()
    four = np.dstack([COLOUR, np.full((37, 50), 255, np.uint8)])
    with caplog.at_level(logging.WARNING):
        for name in ("a.png", "b.png"):
            Image(save(tmp_path / name, four)).read()
    (message,) = [record.getMessage() for record in caplog.records]
    assert "PNG" in message and "alpha" in message


def test_varying_alpha_is_refused(tmp_path: Path) -> None:
    alpha = np.full((37, 50), 255, np.uint8)
    alpha[30, 40] = 3
    path = save(tmp_path / "a.png", np.dstack([COLOUR, alpha]))
    with pytest.raises(SegappError, match=r"a\.png: its alpha channel varies \(3 … 255\)"):
        Image(path).read()


def test_alpha_that_differs_between_windows_of_a_large_tiff_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image, "OVERVIEW_FROM", 1)
    alpha = np.full((37, 50), 255, np.uint8)
    alpha[20:] = 0
    pixels = np.dstack([COLOUR, alpha])
    reference = Image(save(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=["unassalpha"]))
    reference.read_window(0, 0, 10, 50)
    with pytest.raises(SegappError, match="alpha channel varies"):
        reference.read_window(25, 0, 10, 50)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_palette_images_become_colours(tmp_path: Path, suffix: str) -> None:
    indexed = PIL.Image.fromarray(COLOUR).quantize(16)
    indexed.save(tmp_path / f"a{suffix}")
    reference = Image(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(reference.read(), np.asarray(indexed.convert("RGB")))
    np.testing.assert_array_equal(reference.read_window(3, 4, 5, 6), np.asarray(indexed.convert("RGB"))[3:8, 4:10])


def test_transparent_palette_entries_count_as_alpha(tmp_path: Path) -> None:
    PIL.Image.fromarray(COLOUR).quantize(16).save(tmp_path / "a.png", transparency=3)
    with pytest.raises(SegappError, match=r"alpha channel varies \(0 … 255\)"):
        Image(tmp_path / "a.png").read()


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_single_bits_are_black_and_white(tmp_path: Path, suffix: str) -> None:
    PIL.Image.fromarray(np.where(GREY > 99, 255, 0).astype(np.uint8)).convert("1").save(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(Image(tmp_path / f"a{suffix}").read()[..., 0], np.where(GREY > 99, 255, 0))


def test_min_is_white_is_read_upside_down(tmp_path: Path) -> None:
    path = save(tmp_path / "a.tif", GREY, photometric="miniswhite")
    np.testing.assert_array_equal(Image(path).read()[..., 0], 255 - GREY)


def test_stored_takes_uint8_only_and_names_the_setting(tmp_path: Path) -> None:
    path = save(tmp_path / "a.tif", DEEP)
    assert Image(path).stored_dtype == np.uint16
    with pytest.raises(MisuseError, match=r"a\.tif: holds uint16.*`intensity` to percentile"):
        Image(path).read()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_floats_that_are_no_numbers_are_refused(tmp_path: Path, bad: float) -> None:
    pixels = np.ones((37, 50), np.float32)
    pixels[3, 4:6] = bad
    reference = Image(save(tmp_path / "a.tif", pixels), intensity=Intensity("range", 0, 1))
    with pytest.raises(SegappError, match=r"a\.tif: 2 values are NaN or infinite"):
        reference.read()
    assert (reference.read_window(10, 10, 5, 5) == 1).all()


def test_statistics_of_a_large_image_come_from_an_even_overview(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image, "OVERVIEW_FROM", 1000)
    monkeypatch.setattr(image, "OVERVIEW_GRID", 4)
    monkeypatch.setattr(image, "OVERVIEW_SIDE", 8)
    rows = np.repeat(np.arange(200, dtype=np.uint16)[:, None], 150, axis=1)
    path = save(tmp_path / "a.tif", rows, tile=(16, 16), compression="deflate")
    windows = image._choose_overview(200, 150)
    assert len(windows) == 16
    assert (windows[0], windows[-1]) == ((0, 0, 8, 8), (192, 142, 8, 8))
    first, second = (Image(path, intensity=Intensity("percentile", 0, 100)).read() for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first[..., 0], rows / 199, rtol=1e-6)


def test_meta_carries_resolution_and_georeference(tmp_path: Path) -> None:
    tags = [
        (33550, 12, 3, (0.5, 0.5, 0.0), True),
        (33922, 12, 6, (0.0, 0.0, 0.0, 733601.0, 3725139.0, 0.0), True),
        (34735, 3, 8, (1, 1, 0, 1, 3072, 0, 1, 32616), True),
    ]
    path = save(tmp_path / "a.tif", DEEP, extratags=tags, resolution=(100, 200), resolutionunit=3)
    meta = Image(path).meta
    assert meta["resolution"] == (200, 100, "centimeter")
    assert meta["affine"] == (733601.0, 0.5, 0.0, 3725139.0, 0.0, -0.5)
    assert meta["crs"] == "EPSG:32616"
    tags[2] = (34735, 3, 12, (1, 1, 0, 2, 1025, 0, 1, 2, 3072, 0, 1, 32616), True)  # the same, of pixels' centres
    assert Image(save(tmp_path / "b.tif", DEEP, extratags=tags)).meta["affine"][::3] == (733600.75, 3725139.25)
    assert Image(save(tmp_path / "a.png", GREY)).meta == {}


def test_a_reference_travels_to_workers(tmp_path: Path) -> None:
    reference = Image(save(tmp_path / "a.tif", DEEP), 3, Intensity("percentile", 1, 99))
    whole = reference.read()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(reference)).read(), whole)
    np.testing.assert_array_equal(reference.read_window(1, 2, 3, 4), whole[1:4, 2:6])


def test_varying_alpha_is_found_wherever_the_first_window_lies(tmp_path: Path) -> None:
    alpha = np.full((37, 50), 255, np.uint8)
    alpha[30:, 40:] = 3
    path = save(tmp_path / "a.png", np.dstack([COLOUR, alpha]))
    with pytest.raises(SegappError, match="its alpha channel varies"):
        Image(path).read_window(0, 0, 8, 8)
