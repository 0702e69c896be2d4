"""The data module: splits, settings, workers."""

from pathlib import Path
from typing import Any

import albumentations as A
import numpy as np
import pytest

from segapp.datasets import Folder, Lists
from segapp.errors import MisuseError
from segapp.loading.worker_processes import choose_workers
from tests.datasets.look_alikes import save, write_pair
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


def test_a_transform_that_changes_the_range_is_refused_before_the_first_batch(folder: Folder) -> None:
    with pytest.raises(MisuseError, match=r"albumentations\.Normalize"):
        data_module(folder, augment=[A.Normalize()]).train_dataloader()


def test_splits_are_restored_by_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = data_module(ten_images(tmp_path)).split_names()
    write_pair(tmp_path, "05", np.zeros((40, 50, 3), np.uint8), np.zeros((40, 50), np.uint8))
    data = data_module(Folder(tmp_path, ["background", "dot"]))
    data.restore_splits(before)
    assert data.split_names() == before
    assert "1 images are new since the checkpoint and are left out: 05" in caplog.text
    (tmp_path / "images/8.png").unlink()
    (tmp_path / "masks/8.png").unlink()
    with pytest.raises(MisuseError, match=r"1 of the 10 images .* are not there: 8\. .*--new_split"):
        data_module(Folder(tmp_path, ["background", "dot"])).restore_splits(before)


def test_a_restored_split_asks_nothing_of_new_images(tmp_path: Path) -> None:
    """A new one has no mask, and the lists have changed; the images of the checkpoint are there."""
    before = data_module(ten_images(tmp_path)).split_names()
    save(tmp_path / "images/new.png", np.zeros((40, 50, 3), np.uint8))
    (tmp_path / "t.txt").write_text("3\n")
    (tmp_path / "v.txt").write_text("4\n")
    data = data_module(Folder(tmp_path, ["background", "dot"], split=Lists("t.txt", "v.txt")))
    data.restore_splits(before)
    assert data.split_names() == before
    assert len(list(data.val_dataloader())) == len(before["val"])


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"resize": 8}, "exclude each other"),
        ({"batch_size": 0}, "batch_size is 1 or more"),
        ({"crop": (0, 8)}, "crop needs a height and width"),
        ({"crops_per_image": 0}, "crops_per_image"),
        ({"oversample": 1.5}, "oversample .* 0 … 1"),
        ({"oversample": 0.5, "crop": None}, "set crop, or oversample to 0"),
        ({"num_workers": -1}, "num_workers"),
        ({"seed": -1}, "seed is 0 or more"),
    ],
)
def test_settings_that_cannot_be(folder: Folder, settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(MisuseError, match=sentence):
        data_module(folder, **settings)


def test_a_set_without_test_images_says_so(tmp_path: Path) -> None:
    ten_images(tmp_path)
    with pytest.raises(MisuseError, match="the data set has no test images"):
        data_module(Folder(tmp_path, ["background", "dot"])).test_dataloader()


def test_workers_leave_the_machine_to_training() -> None:
    assert choose_workers(on_gpu=False, processes=64) == 0
    assert 0 <= choose_workers(on_gpu=True, processes=1) <= 8
