"""How well two patterns pair images with masks."""

from pathlib import Path

import numpy as np
import pytest

from segapp.io import write_image
from segapp.planning.folder_layout import Tried, try_patterns
from segapp.planning.layout_patterns import Kind


def write(folder: Path, *names: str) -> None:
    for name in names:
        write_image(folder / name, np.zeros((4, 4), np.uint8))


def attempt(
    folder: Path, images: str, masks: str, *classes: str, folders: dict[str, str] | None = None
) -> Tried | None:
    return try_patterns(folder, images, masks, classes, folders, Kind())


def test_the_fraction_of_images_with_masks_is_counted(tmp_path: Path) -> None:
    write(tmp_path, "photos/a.png", "photos/b.png", "masks/a.png", "masks/c.png")
    tried = attempt(tmp_path, "photos", "masks")
    assert tried is not None and tried[:2] == (0.5, 1)


def test_images_of_a_test_without_masks_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, *(f"{split}/photos/{split}.png" for split in ("train", "val", "test")))
    write(tmp_path, "train/masks/train.png", "val/masks/val.png")
    folders = {split: split for split in ("train", "val", "test")}
    tried = attempt(tmp_path, "{split}/photos", "{split}/masks", folders=folders)
    assert tried is not None and tried[2].split_folders == {"train": "train", "val": "val"}
    assert tried[0] == 1 and len(tried[2].found) == 2 and "'test' have no masks and are left out" in tried[2].reason


def test_a_split_without_images_is_none(tmp_path: Path) -> None:
    write(tmp_path, "train/train-photos/a.png", "train/train-masks/a.png", "val/val-photos/b.png")
    folders = {"train": "train", "val": "val"}
    assert attempt(tmp_path, "{split}/train-photos", "{split}/train-masks", folders=folders) is None


@pytest.mark.parametrize(
    ("images", "masks", "classes"),
    [
        ("both", "both", ()),  # a.jpg is the mask of a.png, and a.png that of a.jpg
        ("photos", "**/labels/{stem}.*", ()),  # two forms of one mask
        ("nested", "classes/{class}/{stem}_*", ("cut", "hole")),  # the name of an image in another folder
    ],
)
def test_wrong_pairs_are_none(images: str, masks: str, classes: tuple[str, ...], tmp_path: Path) -> None:
    for name in "ab":
        write(tmp_path, f"both/{name}.png", f"both/{name}.jpg", f"photos/{name}.png", f"nested/good/{name}.png")
        write(tmp_path, f"v1/labels/{name}.png", f"v2/labels/{name}.png")
        write(tmp_path, f"classes/cut/{name}_1.png", f"classes/hole/{name}_1.png")
    assert attempt(tmp_path, images, masks, *classes) is None
