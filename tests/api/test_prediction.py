"""What a network predicts for one image."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

import segapp
from segapp.errors import MisuseError
from segapp.io import read_raw
from tests.api.conftest import PIXELS
from tests.inference.checkpoints import THRESHOLD, make_spec, write_checkpoint


def test_probabilities_are_those_of_the_mask(model: segapp.Model) -> None:
    prediction = model.predict(PIXELS)
    assert prediction.probabilities.shape == (2, 90, 70)
    assert prediction.probabilities.dtype == np.float32
    assert np.array_equal(prediction.probabilities.argmax(0), prediction.mask)
    assert np.allclose(prediction.probabilities.sum(0), 1, atol=1e-5)


def test_probabilities_of_large_images_are_computed_on_demand(model: segapp.Model, monkeypatch) -> None:
    expected = model.predict(PIXELS).probabilities
    monkeypatch.setattr("segapp.api.prediction.KEPT_VALUES", 10)
    prediction = model.predict(PIXELS)
    assert "probabilities" not in vars(prediction)
    assert np.array_equal(prediction.probabilities, expected)


def test_files_are_written_completely_and_never_over_others(model: segapp.Model, tmp_path: Path) -> None:
    prediction = model.predict(PIXELS)
    for name in ("mask.png", "mask.tif"):
        prediction.save(tmp_path / name)
        assert np.array_equal(read_raw(tmp_path / name), prediction.mask)
    prediction.save(tmp_path / "p.npy")
    assert np.allclose(np.load(tmp_path / "p.npy"), prediction.probabilities, atol=1e-3)
    prediction.save_overlay(tmp_path / "o.png")
    assert np.array_equal(cv2.imread(str(tmp_path / "o.png"))[..., ::-1], prediction.overlay)
    before = (tmp_path / "mask.png").read_bytes()
    with pytest.raises(MisuseError, match="overwrite=True"):
        model.predict(255 - PIXELS).save(tmp_path / "mask.png")
    assert (tmp_path / "mask.png").read_bytes() == before
    model.predict(255 - PIXELS).save(tmp_path / "mask.png", overwrite=True)
    assert (tmp_path / "mask.png").read_bytes() != before
    with pytest.raises(MisuseError, match=r"\.png"):
        prediction.save(tmp_path / "mask.gif")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mask.png", "mask.tif", "o.png", "p.npy"]


def test_a_tiff_mask_keeps_the_georeference(model: segapp.Model, tmp_path: Path) -> None:
    keys = [(33550, "d", 3, (0.5, 0.5, 0.0), True), (33922, "d", 6, (0.0, 0.0, 0.0, 7.0, 9.0, 0.0), True)]
    tifffile.imwrite(tmp_path / "map.tif", PIXELS, photometric="rgb", extratags=keys)
    model.predict(tmp_path / "map.tif").save(tmp_path / "mask.tif")
    with tifffile.TiffFile(tmp_path / "mask.tif") as file:
        assert file.pages[0].tags[33550].value[:2] == (0.5, 0.5)


def test_a_notebook_shows_the_overlay_and_a_legend_with_names_escaped(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "best.ckpt", make_spec(classes=("background", "<b>cell")))
    prediction = segapp.load(path, device="cpu", allow=[THRESHOLD]).predict(PIXELS)
    html = prediction._repr_html_()
    assert "data:image/png;base64," in html
    assert "&lt;b&gt;cell" in html
    assert "<b>" not in html
    assert "90 x 70" in repr(prediction)
