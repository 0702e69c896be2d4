"""The data module: splits, settings, workers."""

from pathlib import Path

import numpy as np
import pytest

from segapp.datasets import Folder
from segapp.errors import MisuseError
from tests.loading.conftest import data_module, ten_images, trained

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),  # Lightning 2.6.6 on this torch
    pytest.mark.filterwarnings("ignore::lightning.fabric.utilities.warnings.PossibleUserWarning"),
]


def test_evaluation_delivers_whole_images_one_by_one(folder: Folder, tmp_path: Path) -> None:
    data = data_module(folder)
    (first, _) = list(data.val_dataloader())
    item = folder.items("val")[0]
    assert item.mask is not None
    np.testing.assert_array_equal(first["image"][0].permute(1, 2, 0), item.image.read())
    np.testing.assert_array_equal(first["mask"][0], item.mask.read())
    assert (first["name"], first["size"].tolist()) == (["7"], [[40, 50]])
    assert trained(data, tmp_path, [], max_epochs=2).validated == ["7", "8"] * 2


def test_a_set_without_test_images_says_so(tmp_path: Path) -> None:
    ten_images(tmp_path)
    with pytest.raises(MisuseError, match="the data set has no test images"):
        data_module(Folder(tmp_path, ["background", "dot"])).test_dataloader()
