"""Pixels of rare classes are found and sampled."""

import numpy as np
import pytest

from segapp.datasets import Folder
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
