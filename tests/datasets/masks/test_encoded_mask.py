"""Masks are checked wherever they are read."""

from pathlib import Path

import imagecodecs
import numpy as np
import PIL.Image
import pytest
import tifffile

from segapp.datasets import Indices
from segapp.datasets.masks import encoded_mask
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
        mask(Indices(), tmp_path / f"m.{suffix}").read_window(0, 0, 8, 8)


def test_a_mask_is_checked_once_and_then_read_in_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "m.png", np.eye(40, dtype=np.uint8))
    seen = mask(Indices(), tmp_path / "m.png")
    sizes: list[tuple[int, ...]] = []
    decode = Indices.decode

    def counted(self: Indices, files, pixels, labels):  # type: ignore[no-untyped-def]
        sizes.append(pixels[0].shape[:2])
        return decode(self, files, pixels, labels)

    monkeypatch.setattr(Indices, "decode", counted)
    assert (seen.read_window(3, 3, 8, 8) == np.eye(8)).all()
    assert (seen.read_window(5, 5, 8, 8) == np.eye(8)).all()
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


def test_min_is_white_is_turned_round_in_masks_as_in_images(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "bits.tif", TRUTH == 0, photometric="miniswhite")
    tifffile.imwrite(tmp_path / "bytes.tif", 255 - TRUTH, photometric="miniswhite")
    for name in ("bits.tif", "bytes.tif"):
        np.testing.assert_array_equal(read(Indices(), tmp_path / name), TRUTH)
        assert (np.asarray(PIL.Image.open(tmp_path / name)) == TRUTH).all()  # and so does Pillow


def test_pages_are_no_mask(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "m.tif", np.stack([TRUTH] * 3), photometric="minisblack")
    with pytest.raises(SegappError, match=r"m\.tif: .*3 pages"):
        read(Indices(), tmp_path / "m.tif")


def test_a_large_mask_is_decoded_in_stripes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = np.random.default_rng(0).integers(0, 2, (41, 30), np.uint8)
    save(tmp_path / "m.png", stored)
    monkeypatch.setattr(encoded_mask, "STRIPE_PIXELS", 200)
    seen = mask(Indices(), tmp_path / "m.png")
    assert (seen.read() == stored).all()
    assert (seen.read_window(3, 4, 30, 20) == stored[3:33, 4:24]).all()
