"""The split that a checkpoint records decides."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from segapp.datasets import Folder, Lists
from segapp.errors import MisuseError
from segapp.loading.recorded_split import restore_recorded
from tests.datasets.look_alikes import save, write_pair
from tests.loading.conftest import data_module, ten_images

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),  # Lightning 2.6.6 on this torch
    pytest.mark.filterwarnings("ignore::lightning.fabric.utilities.warnings.PossibleUserWarning"),
]


def test_splits_are_restored_by_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = data_module(ten_images(tmp_path)).split_names()
    write_pair(tmp_path, "05", np.zeros((40, 50, 3), np.uint8), np.zeros((40, 50), np.uint8))
    data = data_module(Folder(tmp_path, ["background", "dot"]))
    data.restore_splits(before)
    assert data.split_names() == before
    assert "1 images are new since the checkpoint and are left out: 05" in caplog.text
    (tmp_path / "images/8.png").unlink()
    (tmp_path / "masks/8.png").unlink()
    with pytest.raises(MisuseError, match=r"1 of the 10 images .*: 8\. .*--new_split"):
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
    ("kept", "recorded", "restored"),
    [
        (False, {"train": ["b"], "val": ["a"]}, True),
        (False, {"train": ["a"], "val": ["b"]}, False),  # what the data have
        (False, {}, False),
        (False, {"train": [], "val": []}, False),
        (True, {"train": ["b"], "val": ["a"]}, False),
    ],
)
def test_a_trainer_s_data_take_another_split_unless_theirs_is_kept(kept, recorded, restored):
    given = []
    own = {"train": ["a"], "val": ["b"]}
    data = SimpleNamespace(split_is_kept=kept, split_names=lambda: own, restore_splits=given.append)
    restore_recorded(data, {"segapp": {"splits": recorded}})
    assert given == ([recorded] if restored else [])


def test_other_data_and_other_checkpoints_are_left_alone():
    restore_recorded(None, {"segapp": {"splits": {"train": ["a"]}}})
    restore_recorded(object(), {"segapp": {"splits": {"train": ["a"]}}})
    restore_recorded(SimpleNamespace(split_is_kept=False), {})
