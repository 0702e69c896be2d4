"""Overlays show the image, its classes and their contours; probabilities go to disk in bands."""

import numpy as np
import pytest

from segapp.errors import SegappError
from segapp.inference.engine import ArrayImage
from segapp.prediction import overlays as pictures
from segapp.prediction.overlays import MAX_SIDE, open_probability_file, overlay
from tests.inference.checkpoints import make_spec


@pytest.mark.parametrize("channels", [1, 2, 3, 7])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_background_is_untouched_contours_are_pure_and_regions_tinted(channels, dtype):
    value = 100 if dtype == np.uint8 else 100 / 255
    image = ArrayImage(np.full((40, 50, channels), value, dtype))
    indices = np.zeros((40, 50), np.uint8)
    indices[10:30, 10:30] = 1
    drawn = overlay(image, indices, make_spec(channels=channels))
    assert drawn.shape == (40, 50, 3)
    assert drawn.dtype == np.uint8
    assert (drawn[indices == 0] == 100).all()
    assert (drawn[10, 10:30] == (60, 200, 90)).all()
    assert (drawn[10:30, 29] == (60, 200, 90)).all()
    assert drawn[20, 20].tolist() == [86, 135, 96]  # 100 and 0.35 of the way to the colour


def test_without_a_background_every_class_is_tinted():
    image = ArrayImage(np.full((40, 50, 3), 100, np.uint8))
    drawn = overlay(image, np.zeros((40, 50), np.uint8), make_spec(background=None))
    assert (drawn == 65).all()


def test_images_too_large_to_look_at_are_thinned():
    image = ArrayImage(np.broadcast_to(np.uint8(100), (2 * MAX_SIDE, 6, 3)))
    indices = np.zeros((2 * MAX_SIDE, 6), np.uint8)
    assert overlay(image, indices, make_spec()).shape == (MAX_SIDE, 3, 3)


def test_wide_images_are_read_in_low_stripes(monkeypatch):
    monkeypatch.setattr(pictures, "STRIPE", 1000)
    pixels, seen = np.random.default_rng(0).integers(0, 256, (300, 90, 3), np.uint8), []

    class Wide(ArrayImage):
        def window(self, y, x, h, w):
            seen.append(h * w)
            return super().window(y, x, h, w)

    assert np.array_equal(pictures._subsample(Wide(pixels), 3), pixels[::3, ::3])
    assert max(seen) <= 1000 and sum(seen) == 300 * 90


@pytest.mark.parametrize(("dtype", "stored"), [("float16", np.float16), ("uint8", np.uint8)])
def test_a_file_filled_in_blocks_is_the_array(tmp_path, dtype, stored):
    whole = np.random.default_rng(0).random((3, 10, 7), np.float32)
    with open_probability_file(tmp_path / "deep" / "p.npy", whole.shape, dtype) as file:
        for y in (0, 4, 8):
            for x in (0, 3) if y else (0,):
                right = 7 if x or not y else 3
                file.add(y, x, whole[:, y : y + 4, x:right])
        assert not (tmp_path / "deep" / "p.npy").exists()
    found = np.load(tmp_path / "deep" / "p.npy", allow_pickle=False)
    assert found.dtype == stored
    assert (found == (whole.astype(np.float16) if dtype == "float16" else np.rint(whole * 255))).all()


def test_a_broken_off_file_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), open_probability_file(tmp_path / "p.npy", (3, 10, 7)):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_sentence(tmp_path):
    def fail():
        raise OSError(28, "No space left on device")

    with (
        pytest.raises(SegappError, match=r"p\.npy: the disk is full"),
        open_probability_file(tmp_path / "p.npy", (3, 10, 7)),
    ):
        fail()
