"""Pixels of rare classes are found and sampled."""

from pathlib import Path

import numpy as np
import pytest

from segapp.datasets import Contiguous, Folder, Indices
from tests.datasets.look_alikes import write_pair
from tests.loading.conftest import batches, data_module

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),  # Lightning 2.6.6 on this torch
    pytest.mark.filterwarnings("ignore::lightning.fabric.utilities.warnings.PossibleUserWarning"),
]


def test_rare_classes_are_found(folder: Folder) -> None:
    data = data_module(folder, crop=8, augment=[], oversample=1.0, oversample_background=True, crops_per_image=50)
    assert data.count_classes().tolist() == [7 * 40 * 50 - 1, 1]
    assert 0.4 < np.mean([mask[4, 4] == 1 for _, _, masks in batches(data) for mask in masks]) < 0.6
    plain = data_module(folder, crop=8, augment=[], crops_per_image=50)
    assert np.mean([(mask == 1).any() for _, _, masks in batches(plain) for mask in masks]) < 0.05


def test_of_scribbles_only_labelled_pixels_count_and_centre_crops(tmp_path: Path) -> None:
    for name in "xyz":
        mask = np.full((40, 40), 255, np.uint8)
        mask[3, 5:9], mask[30, 20] = 0, 1 if name != "y" else 255
        write_pair(tmp_path, name, np.zeros((40, 40), np.uint8), mask)
    (tmp_path / "seen.csv").write_text("name,classes\nx,a\ny,\nz,a\n")
    encoding = Indices({0: 0, 1: 1, 255: 255})
    source = Folder(tmp_path, ["background", "a"], looked_for="seen.csv", mask=encoding, split=Contiguous(val=0.3))
    data = data_module(source, crop=9, augment=[], oversample=1.0, oversample_background=True, crops_per_image=20)
    assert data.count_classes().tolist() == [8, 1]
    assert data.count_labelled().tolist() == [9, 5]
    known, centres = {}, []
    for batch in data.train_dataloader():
        looked_for = batch["looked_for"].tolist() if "looked_for" in batch else [[True, True]] * len(batch["name"])
        known |= dict(zip(batch["name"], looked_for, strict=True))
        centres += batch["mask"][:, 4, 4].tolist()
    assert known == {"x": [True, True], "y": [True, False]}
    assert set(centres) == {0, 1} and 10 < sum(centres) < 30
