"""Pixels of rare classes are found and sampled."""

from pathlib import Path

import numpy as np
import pytest

from segapp.datasets import Folder
from segapp.errors import MisuseError
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


def test_without_a_class_to_centre_on_oversampling_is_refused(tmp_path: Path) -> None:
    for i in range(3):
        write_pair(tmp_path, f"{i}", np.zeros((9, 9), np.uint8), np.zeros((9, 9), np.uint8))
    data = data_module(Folder(tmp_path, ["background", "dot"]), oversample=0.5)
    with pytest.raises(MisuseError, match="oversample"):
        data.train_dataloader()
