"""Masks are checked wherever they are read."""

from pathlib import Path

import imagecodecs
import numpy as np
import PIL.Image
import pytest
import tifffile

from segapp.datasets import Colours, Indices, Instances, PerClass, Threshold
from segapp.errors import MisuseError, SegappError
from tests.datasets.look_alikes import save
from tests.datasets.masks.coloured import TRUTH, read
from tests.datasets.masks.common import mask


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_a_wrong_value_is_found_wherever_the_first_window_lies(tmp_path: Path, suffix: str) -> None:
    """And counted in the whole file: a crop elsewhere would have trained on, until some later epoch met it."""
    stored = np.zeros((40, 50), np.uint8)
    stored[30:36, 40:46] = 7
    save(tmp_path / f"m.{suffix}", stored)
    with pytest.raises(MisuseError, match=r"m\..*36 pixels hold 7"):
        mask(Indices(), tmp_path / f"m.{suffix}").window(0, 0, 8, 8)


def test_a_mask_is_checked_once_and_then_read_in_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "m.png", np.eye(40, dtype=np.uint8))
    seen = mask(Indices(), tmp_path / "m.png")
    sizes: list[tuple[int, ...]] = []
    decode = Indices.decode

    def counted(self: Indices, files, pixels, labels):  # type: ignore[no-untyped-def]
        sizes.append(pixels[0].shape[:2])
        return decode(self, files, pixels, labels)

    monkeypatch.setattr(Indices, "decode", counted)
    assert (seen.window(3, 3, 8, 8) == np.eye(8)).all()
    assert (seen.window(5, 5, 8, 8) == np.eye(8)).all()
    assert sizes == [(40, 40), (8, 8), (8, 8)]


def test_lossless_webp_is_a_mask_and_lossy_formats_are_not(tmp_path: Path) -> None:
    indices = np.random.default_rng(0).integers(0, 2, (20, 30), np.uint8)
    PIL.Image.fromarray(indices).save(tmp_path / "m.webp", lossless=True)  # as three equal channels
    np.testing.assert_array_equal(mask(Indices(), tmp_path / "m.webp").read(), indices)
    PIL.Image.fromarray(indices).save(tmp_path / "lossy.webp")
    (tmp_path / "m.jp2").write_bytes(imagecodecs.jpeg2k_encode(indices, reversible=True))
    PIL.Image.fromarray(indices).save(tmp_path / "wrong.png", "WEBP")
    for name, codec in (("lossy.webp", "WebP"), ("m.jp2", "JPEG 2000"), ("wrong.png", "WebP")):
        with pytest.raises(MisuseError, match=rf"{name}: {codec}"):
            mask(Indices(), tmp_path / name).read()


def transparent_masks(folder: Path) -> list[Path]:
    """Save TRUTH as white paint on a transparent canvas, white too, in every way that formats have."""
    rgba = np.dstack([np.full((32, 32, 3), 255, np.uint8), TRUTH * 255])
    save(folder / "rgba.png", rgba)
    tifffile.imwrite(folder / "rgba.tif", rgba, photometric="rgb", extrasamples=["unassalpha"])
    grey = np.where(TRUTH > 0, np.uint8(255), np.uint8(9))
    PIL.Image.fromarray(grey).save(folder / "key.png", transparency=9)
    paint = PIL.Image.fromarray(TRUTH)
    paint.putpalette([255] * 6)
    for name in ("palette.png", "palette.gif"):
        paint.save(folder / name, transparency=0, optimize=False)
    return sorted(folder.iterdir())


def test_transparent_pixels_are_what_the_user_says(tmp_path: Path) -> None:
    white = {"a": (255, 255, 255)}
    for path in transparent_masks(tmp_path):
        for encoding in (Indices(), Indices({0: 0, 255: 1}), Colours(white), Threshold(), Instances(), PerClass()):
            with pytest.raises(MisuseError, match=r"pixels are transparent.*transparent: background"):
                read(encoding, path)
        np.testing.assert_array_equal(read(Colours(white, transparent="background"), path), TRUTH, err_msg=path.name)
        np.testing.assert_array_equal(read(Colours(white, transparent="ignore"), path) == 255, TRUTH == 0)


def test_half_transparent_pixels_are_refused_or_decided(tmp_path: Path) -> None:
    alpha = TRUTH * 255
    alpha[8, 8:20] = (100, 200) * 6
    save(tmp_path / "m.png", np.dstack([np.full((32, 32, 3), 255, np.uint8), alpha]))
    white = {"a": (255, 255, 255)}
    with pytest.raises(MisuseError, match="12 pixels are half transparent"):
        read(Colours(white, transparent="background"), tmp_path / "m.png")
    found = read(Colours(white, transparent="background", nearest=True), tmp_path / "m.png")
    assert found[8, 8:20].tolist() == [0, 1] * 6


@pytest.mark.parametrize("constant", [0, 255])
def test_an_alpha_of_one_value_has_its_meaning_too(tmp_path: Path, constant: int) -> None:
    save(tmp_path / "m.png", np.dstack([TRUTH, np.full_like(TRUTH, constant)]))
    if constant:
        np.testing.assert_array_equal(read(Indices(), tmp_path / "m.png"), TRUTH)
        return
    with pytest.raises(MisuseError, match="1,024 pixels are transparent"):
        read(Indices(), tmp_path / "m.png")


def test_min_is_white_is_turned_round_in_masks_as_in_images(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "bits.tif", TRUTH == 0, photometric="miniswhite")
    tifffile.imwrite(tmp_path / "bytes.tif", 255 - TRUTH, photometric="miniswhite")
    for name in ("bits.tif", "bytes.tif"):
        np.testing.assert_array_equal(read(Indices(), tmp_path / name), TRUTH)
        assert (np.asarray(PIL.Image.open(tmp_path / name)) == TRUTH).all()  # and so does Pillow


def save_geotiff(path: Path, pixels: np.ndarray, nodata: str) -> Path:
    tifffile.imwrite(path, pixels, extratags=[(42113, 2, len(nodata) + 1, nodata, True)])
    return path


def test_what_was_not_measured_is_ignored_or_asked_for(tmp_path: Path) -> None:
    stored = TRUTH.astype(np.int16)
    stored[:2] = -999
    path = save_geotiff(tmp_path / "m.tif", stored, "-999")
    expected = TRUTH.copy()
    expected[:2] = 255
    np.testing.assert_array_equal(read(Indices(), path), expected)
    zero = save_geotiff(tmp_path / "zero.tif", TRUTH, "0")
    with pytest.raises(MisuseError, match=r"\{0: 0\} for the class, or \{0: 255\}"):
        read(Indices(), zero)
    np.testing.assert_array_equal(read(Indices({0: 0}), zero), TRUTH)
    np.testing.assert_array_equal(read(Indices({0: 255}), zero), np.where(TRUTH, 1, 255))
    np.testing.assert_array_equal(read(Instances(), zero), TRUTH)  # 0 is no object anyway
    two = save_geotiff(tmp_path / "two.tif", np.where(expected == 255, 2, TRUTH).astype(np.uint8), "2")
    np.testing.assert_array_equal(read(PerClass(), two), expected)


def test_pages_are_no_mask(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "m.tif", np.stack([TRUTH] * 3), photometric="minisblack")
    with pytest.raises(SegappError, match=r"m\.tif: .*3 pages"):
        read(Indices(), tmp_path / "m.tif")
