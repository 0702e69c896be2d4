"""Patterns of images and masks, and what they find."""

from pathlib import Path

import numpy as np
import pytest

from segapp.datasets import Folder, PerClass
from segapp.datasets.file_search import MaskPattern, find_images
from segapp.errors import MisuseError
from tests.datasets.folders import CLASSES, GREY, folder, mask_names, names, pairs
from tests.datasets.look_alikes import save
from tests.io.ome_zarrs import write_ome_zarr


@pytest.mark.parametrize(
    ("image", "mask", "settings"),
    [
        ("pics/{i}.png", "pics/{i}_mask.png", {"images": "pics", "masks": "pics/{name}_mask.png"}),
        ("{i}.png", "{i}_gt.png", {"images": ".", "masks": "{name}_gt.*"}),
        ("s{i}/image.png", "s{i}/mask.png", {"images": "*/image.png", "masks": "{parent}/mask.png"}),
        ("a/x[{i}].png", "b/x[{i}].png", {"images": "a", "masks": "b"}),
        ("im/{i}/p.png", "gt/{i}/p_1.png", {"images": "im/**/*.png", "masks": "gt/{name}_*.png"}),
    ],
)
def test_layouts(tmp_path: Path, image: str, mask: str, settings: dict[str, str]) -> None:
    for i in range(3):
        save(tmp_path / image.format(i=i), GREY)
        save(tmp_path / mask.format(i=i), GREY)
    found = mask_names(folder(tmp_path, **settings))
    assert sorted(sum(found.values(), [])) == [mask.format(i=i) for i in range(3)]  # noqa: RUF017


@pytest.mark.parametrize(
    ("image", "mask", "settings"),
    [
        ("im/{i}.png", "gt/mask_{i}.png", {"images": "im", "masks": "gt/mask_{name}.png"}),
        ("im/day/{i}.png", "gt/day/mask_{i}.png", {"images": "im", "masks": "gt/mask_{name}.png"}),
        ("im/img_{i}.png", "gt/mask_{i}.png", {"images": "im/img_{name}.png", "masks": "gt/mask_{name}.png"}),
        (
            "im/2{i}_training.tif",
            "gt/2{i}_manual1.png",
            {"images": "im/{name}_training.tif", "masks": "gt/{name}_manual1.*"},
        ),
        ("im/2{i}_training.png", "gt/2{i}_manual1.png", {"images": "im/{name}_training", "masks": "gt/{name}_manual1"}),
        ("im/c/{i}_left.png", "gt/c/{i}_ids.png", {"images": "im/{name}_left.png", "masks": "gt/{name}_ids.png"}),
        ("im/c/x_{i}.png", "gt/c/y_{i}.png", {"images": "im/x_{name}.*", "masks": "gt/y_{name}.png"}),
        (
            "s/{i}/{i}_rgb.png",
            "s/{i}/{i}_gt.png",
            {"images": "s/{name}/{name}_rgb.png", "masks": "s/{name}/{name}_gt.png"},
        ),
        ("im/case {i}_0000.png", "gt/case {i}.png", {"images": "im/{name}_0000.png", "masks": "gt"}),
        ("im/c/{i}.png", "gt/c_{i}.png", {"images": "im", "masks": "gt/{parent}_{stem}.png"}),
    ],
)
def test_layouts_whose_names_share_a_part(tmp_path: Path, image: str, mask: str, settings: dict[str, str]) -> None:
    for i in range(3):
        save(tmp_path / image.format(i=i), GREY)
        save(tmp_path / mask.format(i=i), GREY)
    found = mask_names(folder(tmp_path, **settings))
    assert {name: files[0] for name, files in found.items()} == {
        image.format(i=i).split("/", 1)[1].rsplit(".", 1)[0]: mask.format(i=i) for i in range(3)
    }


def test_named_images_are_divided_by_the_split_placeholder(tmp_path: Path) -> None:
    """Cityscapes."""
    for split in ("train", "val"):
        save(tmp_path / f"left/{split}/ulm/ulm_1_left.png", GREY)
        save(tmp_path / f"left/{split}/ulm/notes.png", GREY)
        save(tmp_path / f"gt/{split}/ulm/ulm_1_ids.png", GREY)
    source = Folder(tmp_path, CLASSES, images="left/{split}/{name}_left.png", masks="gt/{split}/{name}_ids.png")
    assert mask_names(source) == {f"{s}/ulm/ulm_1_left": [f"gt/{s}/ulm/ulm_1_ids.png"] for s in ("train", "val")}


def test_masks_per_class_may_begin_with_the_class(tmp_path: Path) -> None:
    for i in range(2):
        save(tmp_path / f"images/{i}.png", GREY)
        save(tmp_path / f"masks/a_{i}.png", GREY)
    source = folder(tmp_path, ("background", "a", "b"), masks="masks/{class}_{name}.png", mask=PerClass())
    assert mask_names(source) == {"0": ["masks/a_0.png"], "1": ["masks/a_1.png"]}


def test_the_split_placeholder_divides(tmp_path: Path) -> None:
    for split in ("train", "val"):
        for i in range(2):
            save(tmp_path / split / "images" / f"{i}.png", GREY)
            save(tmp_path / split / "masks" / f"{i}.png", GREY)
    source = Folder(tmp_path, CLASSES, images="{split}/images", masks="{split}/masks")
    assert [item.name for item in source.items("val")] == ["val/images/0", "val/images/1"]
    assert mask_names(source)["val/images/1"] == ["val/masks/1.png"]
    assert list(source.items("test")) == []


def test_a_missing_root_names_its_neighbours(tmp_path: Path) -> None:
    pairs(tmp_path / "camvid")
    with pytest.raises(MisuseError, match=r"did you mean 'camvid'\?"):
        names(folder(tmp_path / "camvd"))


def test_words_of_the_images_fill_the_pattern_of_the_masks(tmp_path: Path) -> None:
    save(tmp_path / "train/img/p1/a.png", GREY)
    for name in ("train/gt/p1/a_1.png", "train/gt/p1/a_2.png", "train/gt/p1/ab_1.png"):
        save(tmp_path / name, GREY)
    (found,) = find_images(tmp_path, "{split}/img")
    assert (found.name, found.mask_name, found.split) == ("train/img/p1/a", "p1/a", "train")
    pattern = MaskPattern(tmp_path, "{split}/gt/{parent}/{stem}_*", ())
    assert [file.path.name for file in pattern.find_files(found)] == ["a_1.png", "a_2.png"]
    assert pattern.list_tried_paths(found) == ["train/gt/p1/a_*"]
    assert len(pattern.find_all_files()) == 3


def test_names_with_wildcards_in_them_are_taken_literally(tmp_path: Path) -> None:
    for name in ("a[1]", "a1"):
        save(tmp_path / f"images/{name}.png", GREY)
        save(tmp_path / f"masks/{name}.png", GREY)
    pattern = MaskPattern(tmp_path, "masks", ())
    by_name = {
        found.name: [file.path.name for file in pattern.find_files(found)] for found in find_images(tmp_path, "images")
    }
    assert by_name == {"a[1]": ["a[1].png"], "a1": ["a1.png"]}


def test_label_images_are_found_in_folders_of_both_suffixes(tmp_path: Path) -> None:
    for name in ("a.zarr", "b.ome.zarr"):
        path = write_ome_zarr(tmp_path / "cells" / name, np.zeros((4, 5), np.uint8), "yx")
        write_ome_zarr(path, np.zeros((4, 5), np.uint8), "yx", group="labels/nuclei")
    for masks in ("cells/{name}.zarr/labels/nuclei", "cells/{name}.ome.zarr/labels/nuclei"):
        pattern = MaskPattern(tmp_path, masks, ())
        for image in find_images(tmp_path, "cells"):
            assert [mask.path for mask in pattern.find_files(image)] == [image.path]


@pytest.mark.parametrize("images", ["images", "images/*.zarr", "images/{name}.zarr", "{name}.zarr", "**/*.zarr", "."])
def test_a_folder_that_is_an_image_is_one_item(tmp_path: Path, images: str) -> None:
    for name in "ab":
        path = write_ome_zarr(tmp_path / "images" / f"{name}.zarr", np.zeros((4, 5), np.uint8), "yx")
        write_ome_zarr(path, np.zeros((4, 5), np.uint8), "yx", group="labels/cells")
        (path / "thumbnail.png").touch()
    found = sorted(find_images(tmp_path, images), key=lambda image: image.path)
    assert [image.path.name for image in found] == ["a.zarr", "b.zarr"]
    assert [image.mask_name.rpartition("/")[2] for image in found] == ["a", "b"]
    for masks in ("images/{stem}.zarr/labels/cells", "images/{stem}.zarr:/labels/cells"):
        pattern = MaskPattern(tmp_path, masks, ("cells",))
        assert [(mask.path, mask.array) for mask in pattern.find_files(found[0])] == [(found[0].path, "/labels/cells")]
        assert pattern.find_all_files() == {image.path for image in found}
