"""Predictions of other tools, beside images and true masks."""

from pathlib import Path

import numpy as np
import pytest

from segapp.io import write_image


def write_masks(folder: Path, **masks: np.ndarray) -> None:
    folder.mkdir(parents=True)
    for name, mask in masks.items():
        write_image(folder / f"{name}.png", mask)


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """Three images, and the predictions of two tools, one of which lacks an image."""
    monkeypatch.chdir(tmp_path)
    truth = np.zeros((3, 16, 16), np.uint8)
    truth[:, 4:12, 4:12] = 1
    truth[2, :2] = 255
    masks = dict(zip("abc", truth, strict=True))
    write_masks(Path("data/images"), **masks)
    write_masks(Path("data/masks"), **masks)
    write_masks(Path("one"), **{name: np.roll(mask == 1, 1, 0).astype(np.uint8) for name, mask in masks.items()})
    write_masks(Path("two"), **{name: (mask == 1) * np.uint8(9) for name, mask in masks.items() if name != "c"})
    Path("data.yaml").write_text(
        "source: {class_path: segapp.datasets.Folder, init_args: {root: data, classes: [background, cell]}}\n"
    )
