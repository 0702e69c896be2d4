"""Masks of one class each, named by words after the images' names."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from segapp.planning.decisions import build_config
from segapp.planning.layout import find_layout
from segapp.planning.source import build_planned_source, describe_folder

EMPTY = np.zeros((8, 8), np.uint8)
LEFT, RIGHT = (np.where(np.indices((8, 8))[1] // 4 == side, 255, 0).astype(np.uint8) for side in (0, 1))
GREY = np.arange(64, dtype=np.uint8).reshape(8, 8)


def write(root: Path, name: str, pixels: np.ndarray) -> None:
    (root / name).parent.mkdir(exist_ok=True)
    PIL.Image.fromarray(pixels).save(root / name)


def write_images(
    root: Path, masks: dict[str, np.ndarray], folder: str = "masks", names: str = "abcd"
) -> tuple[str, str]:
    for name in names:
        write(root, f"images/{name}.png", GREY)
        for ending, pixels in masks.items():
            write(root, f"{folder}/{name}{ending}.png", pixels)
    return str(root / "images"), str(root / folder)


@pytest.mark.parametrize(
    ("masks", "pattern", "classes"),
    [
        ({"_road": LEFT, "_tree": RIGHT}, "{stem}_{class}.*", ("road", "tree")),
        ({"_road_mask": LEFT, "_tree_mask": RIGHT}, "{stem}_{class}_mask.*", ("road", "tree")),
        ({"_gt-road": LEFT, "_gt-tree": RIGHT}, "{stem}_gt-{class}.*", ("road", "tree")),
        ({"_road": LEFT, "_tree": RIGHT, "_overlay": GREY}, "{stem}_{class}.*", ("road", "tree")),
        ({"_car": LEFT, "_cart": RIGHT}, "{stem}_{class}.*", ("car", "cart")),
        ({"_road": LEFT, "_tree": EMPTY, "_low_plant": RIGHT}, "{stem}_{class}.*", ("low_plant", "road", "tree")),
    ],
    ids=str,
)
def test_words_after_the_names_of_images_are_classes(tmp_path, masks, pattern, classes):
    layout = find_layout(*write_images(tmp_path, masks))
    assert (layout.masks, layout.classes) == (f"masks/{pattern}", classes)


@pytest.mark.parametrize(
    "masks",
    [
        {"_anna": LEFT, "_bert": np.where(np.indices((8, 8))[1] < 5, 255, 0).astype(np.uint8)},
        {"_road": EMPTY, "_tree": EMPTY},
        {"_mask": LEFT, "_edges": RIGHT},
        {"_road": GREY, "_tree": GREY[::-1]},
        {"_cell1": LEFT, "_cell2": RIGHT},
        {"_road": LEFT, "_tree": RIGHT[:4]},
        {"1st": LEFT, "2nd": RIGHT},
    ],
    ids=["observers", "nothing", "forms", "grey", "objects", "sizes", "no mark between"],
)
def test_other_endings_are_none(tmp_path, masks):
    assert not find_layout(*write_images(tmp_path, masks)).classes


def test_masks_of_classes_may_lie_beside_the_images(tmp_path):
    write_images(tmp_path, {"_road": LEFT, "_tree": RIGHT}, folder="images")
    layout = find_layout(str(tmp_path / "images"), str(tmp_path / "images"))
    assert layout.classes == ("road", "tree") and [image.name for image in layout.found] == list("abcd")


def test_every_class_is_read_and_an_image_may_lack_some(tmp_path):
    """Formerly the first file of each image was taken, and the other classes were background."""
    images, masks = write_images(tmp_path, {"_road": LEFT, "_tree": RIGHT})
    (tmp_path / "masks/b_tree.png").unlink()
    decisions = describe_folder(images, masks)
    settings = build_config(decisions)["data"]["source"]["init_args"]
    assert settings["classes"] == ["background", "road", "tree"]
    assert settings["mask"] == {"class_path": "segapp.datasets.PerClass"}
    assert any("One mask of an image for each of 2 classes" in decision.reason for decision in decisions)
    found = {
        item.name: np.unique(item.mask.read()).tolist() for item in build_planned_source(decisions).select(list("ab"))
    }
    assert found == {"a": [1, 2], "b": [0, 1]}
