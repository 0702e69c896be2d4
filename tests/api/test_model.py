"""A trained network in Python."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

import segapp
from segapp.cli import main
from segapp.errors import MisuseError, SegappError
from segapp.io import read_raw
from segapp.spec import Intensity
from tests.api.conftest import PIXELS
from tests.inference.checkpoints import THRESHOLD, make_spec, write_checkpoint


def save(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), pixels[..., ::-1] if pixels.ndim == 3 else pixels)
    return path


def test_arrays_files_and_folders_give_the_same_masks(model: segapp.Model, tmp_path: Path) -> None:
    path = save(tmp_path / "images/a.png", PIXELS)
    from_file, from_array = model.predict(path), model.predict(PIXELS)
    assert from_file.mask.shape == (90, 70)
    assert 0 < from_file.mask.mean() < 1
    assert np.array_equal(from_file.mask, from_array.mask)
    assert model.predict_folder(tmp_path / "images", tmp_path / "out") == tmp_path / "out"
    assert np.array_equal(read_raw(tmp_path / "out/mask/a.png"), from_file.mask)


def test_a_mask_is_cleaned_as_the_options_say(checkpoint: Path) -> None:
    pixels = np.full((60, 60, 3), 20, np.uint8)
    pixels[5:25, 5:25] = pixels[40:42, 40:42] = 250
    plain = segapp.load(checkpoint, device="cpu", allow=[THRESHOLD]).predict(pixels)
    cleaned = segapp.load(checkpoint, device="cpu", allow=[THRESHOLD], min_object=["cell=50"]).predict(pixels)
    assert (plain.mask.sum(), cleaned.mask.sum()) == (404, 400)


@pytest.mark.parametrize("kind", ["percentile", "zscore", "range"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_arrays_are_scaled_as_files_are(kind: str, dtype: type, tmp_path: Path) -> None:
    limits = {"percentile": (1.0, 99.0), "zscore": (0.0, 1.0), "range": (50.0, 180.0)}[kind]
    spec = make_spec(intensity=Intensity(kind, *limits), channels=1)
    path = write_checkpoint(tmp_path / "best.ckpt", spec)
    pixels = PIXELS[..., 0].astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    model = segapp.load(path, device="cpu", allow=[THRESHOLD])
    one, other = model.predict(tmp_path / "a.tif"), model.predict(pixels)
    assert np.array_equal(one.probabilities, other.probabilities)


def test_floats_of_the_networks_range_are_taken(model: segapp.Model) -> None:
    assert np.array_equal(model.predict(PIXELS / 255).mask, model.predict(PIXELS).mask)
    grey = model.predict(PIXELS[..., 1])
    assert np.array_equal(grey.mask, model.predict(np.repeat(PIXELS[..., 1:2], 3, axis=2)).mask)


@pytest.mark.parametrize(
    ("array", "word"),
    [
        (PIXELS.astype(np.float32), "divide"),
        (PIXELS.astype(np.uint16) * 256, "uint16"),
        (PIXELS[..., :2], "2 channels"),
        (np.zeros((2, 3, 4, 5)), r"\(2, 3, 4, 5\)"),
        (np.zeros((0, 5, 3)), "empty"),
        (np.zeros((5, 5, 3), bool), "bool"),
        (np.full((5, 5, 3), np.nan), "NaN"),
    ],
    ids=["floats", "uint16", "channels", "shape", "empty", "bool", "nan"],
)
def test_what_is_no_image_is_refused(model: segapp.Model, array: np.ndarray, word: str) -> None:
    with pytest.raises(MisuseError, match=word):
        model.predict(array)


def test_failed_images_of_a_folder_are_an_error(model: segapp.Model, tmp_path: Path) -> None:
    save(tmp_path / "images/a.png", PIXELS)
    (tmp_path / "images/b.png").write_bytes(b"no image")
    with pytest.raises(SegappError, match=r"manifest\.csv"):
        model.predict_folder(tmp_path / "images", tmp_path / "out")
    assert (tmp_path / "out/mask/a.png").is_file()


def test_bundles_and_ensembles_are_loaded_too(checkpoint: Path, tmp_path: Path) -> None:
    bundle, words = tmp_path / "bundle", ["--ckpt_path", str(checkpoint), "--allow", THRESHOLD]
    assert main(["export", *words, "--format", "weights", "--output", str(bundle)]) == 0
    expected = segapp.load(checkpoint, device="cpu", allow=[THRESHOLD]).predict(PIXELS).mask
    for paths in (bundle, [bundle, checkpoint]):
        model = segapp.load(paths, device="cpu", allow=[THRESHOLD])
        assert model.classes == ("background", "cell")
        assert np.array_equal(model.predict(PIXELS).mask, expected)


def test_a_missing_checkpoint_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(MisuseError, match=r"nope\.ckpt"):
        segapp.load(tmp_path / "nope.ckpt")
