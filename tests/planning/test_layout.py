"""Patterns that pair images with masks."""

from itertools import product

import cv2
import numpy as np
import pytest

from segapp.datasets import Coco, Folder, LabelMe
from segapp.errors import MisuseError
from segapp.planning.folder_layout import list_masks
from segapp.planning.layout import find_layout

LAYOUTS = {
    "the same names": ("images/{0}.jpg", "masks/{0}.png", "masks"),
    "a suffix": ("images/{0}.jpg", "masks/{0}_mask.png", "masks/{{stem}}_mask.*"),
    "a prefix": ("images/{0}.jpg", "masks/seg-{0}.png", "masks/seg-{{stem}}.*"),
    "a folder for each image": ("images/{0}.jpg", "masks/{0}/1.png", "masks/{{name}}/*"),
}


@pytest.mark.parametrize(("image", "mask", "expected"), LAYOUTS.values(), ids=LAYOUTS)
def test_masks_are_found_by_usual_patterns(tmp_path, image, mask, expected):
    for name in ("a", "b1", "c_2"):
        for pattern in (image, mask):
            path = tmp_path / pattern.format(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), np.zeros((4, 4), np.uint8))
    layout = find_layout(str(tmp_path / "images"), str(tmp_path / "masks"))
    assert layout.masks == expected.replace("{{", "{").replace("}}", "}")


def test_folders_of_train_and_val_are_found_from_those_of_train(tmp_path):
    for split in ("train", "valid"):
        for kind in ("img", "ann"):
            (tmp_path / split / kind).mkdir(parents=True)
            cv2.imwrite(str(tmp_path / split / kind / f"{split}.png"), np.zeros((4, 4), np.uint8))
    layout = find_layout(str(tmp_path / "train" / "img"), str(tmp_path / "train" / "ann"))
    assert layout.split_folders == {"train": "train", "val": "valid"}
    assert len(layout.found) == 2


@pytest.mark.parametrize("folder", ["{split}/img", "{split}_img"])
def test_folders_that_split_stands_for_are_named(tmp_path, folder):
    masks = folder.replace("img", "ann") + "/{name}.png"
    for split in ("train", "valid"):
        for pattern in (folder, masks):
            path = tmp_path / pattern.format(split=split, name=split).removesuffix(".png")
            path = path if pattern == masks else path / split
            path.parent.mkdir(parents=True)
            cv2.imwrite(f"{path}.png", np.zeros((4, 4), np.uint8))
    layout = find_layout(str(tmp_path / folder), str(tmp_path / masks))
    assert layout.split_folders == {"train": "train", "val": "valid"}
    assert layout.images.endswith(folder) and len(layout.found) == 2


def test_names_that_do_not_agree_are_told(tmp_path):
    for kind, name in (("images", "a"), ("masks", "x")):
        (tmp_path / kind).mkdir()
        cv2.imwrite(str(tmp_path / kind / f"{name}.png"), np.zeros((4, 4), np.uint8))
    with pytest.raises(MisuseError, match=r"x\.png"):
        find_layout(str(tmp_path / "images"), str(tmp_path / "masks"))


def test_folders_of_masks_are_classes_and_several_masks_are_those_of_objects(tmp_path):
    for folder in ("images", "masks/road", "masks/tree"):
        (tmp_path / folder).mkdir(parents=True)
        for name in "ab":
            cv2.imwrite(str(tmp_path / folder / f"{name}.png"), np.zeros((4, 4), np.uint8))
    layout = find_layout(str(tmp_path / "images"), str(tmp_path / "masks"))
    assert (layout.masks, layout.classes) == ("masks/{class}", ("road", "tree"))
    assert {mask.path.parent.name for mask in list_masks(layout, 1)} == {"road", "tree"}
    assert len(list_masks(layout, 10)) == 4


def test_masks_beside_their_images_are_no_images(tmp_path):
    for name in "ab":
        for suffix in ("", "_mask"):
            cv2.imwrite(str(tmp_path / f"{name}{suffix}.png"), np.zeros((4, 4), np.uint8))
    layout = find_layout(str(tmp_path), str(tmp_path / "{stem}_mask.*"))
    assert [image.name for image in layout.found] == ["a", "b"]


@pytest.mark.parametrize("ends", [("images", "masks"), ("images/*.png", "masks/*.png"), ("images", "masks/*.png")])
def test_a_folder_for_each_image_is_found_from_wildcards_and_no_mask_is_that_of_two(tmp_path, ends):
    for name in ("a1", "b2", "c3"):
        for kind, files in (("images", [name]), ("masks", ["1", "2"])):
            (tmp_path / "set" / name / kind).mkdir(parents=True)
            for file in files:
                cv2.imwrite(str(tmp_path / "set" / name / kind / f"{file}.png"), np.zeros((4, 4), np.uint8))
    layout = find_layout(*(str(tmp_path / "set" / "*" / end) for end in ends))
    assert layout.several
    assert len(list_masks(layout, 10)) == len(set(list_masks(layout, 10))) == 6
    assert [image.name for image in layout.found] == ["a1/images/a1", "b2/images/b2", "c3/images/c3"]


@pytest.mark.parametrize(
    ("images", "masks", "expected"),
    [
        ("images", "labels", "labels"),
        ("images", "labels/{name}.json", "labels/{name}.json"),
        ("images", "labels/a.json", "labels/a.json"),
    ],
)
def test_annotations_are_recognised_by_their_content(tmp_path, images, masks, expected):
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    cv2.imwrite(str(tmp_path / "images/a.png"), np.zeros((4, 4), np.uint8))
    (tmp_path / "labels/a.json").write_text('{"shapes": []}')
    layout = find_layout(str(tmp_path / images), str(tmp_path / masks))
    assert (layout.masks, layout.encoding) == (expected, LabelMe)


@pytest.mark.parametrize("masks", ["train", "train/annotations.json"])
def test_one_file_of_annotations_in_each_split_is_found(tmp_path, masks):
    for split in ("train", "valid"):
        (tmp_path / split).mkdir()
        for name in "ab":
            cv2.imwrite(str(tmp_path / split / f"{split}{name}.png"), np.zeros((4, 4), np.uint8))
        (tmp_path / split / "annotations.json").write_text('{"images": [], "annotations": [], "categories": []}')
    layout = find_layout(str(tmp_path / "train"), str(tmp_path / masks))
    assert (layout.images, layout.masks, layout.encoding) == ("{split}", "{split}/annotations.json", Coco)
    assert len(layout.found) == 4 and len(list_masks(layout)) == 4


def test_files_of_channels_are_joined(tmp_path):
    for folder, names in (("imagesTr", ("a_0000", "a_0001", "b_0000", "b_0001")), ("labelsTr", ("a", "b"))):
        (tmp_path / folder).mkdir()
        for name in names:
            cv2.imwrite(str(tmp_path / folder / f"{name}.png"), np.zeros((4, 4), np.uint8))
    layout = find_layout(str(tmp_path / "imagesTr"), str(tmp_path / "labelsTr"))
    assert layout.channel_files == ("{name}_0000", "{name}_0001")
    assert [(image.name, len(image.channel_files)) for image in layout.found] == [("a", 1), ("b", 1)]


@pytest.mark.parametrize(("image", "mask"), [("scene.png", "truth.png"), ("images/a.png", "masks/b.png")])
def test_a_file_of_each_is_an_image_and_its_mask(tmp_path, image, mask):
    for path in (tmp_path / image, tmp_path / mask):
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), np.zeros((4, 4), np.uint8))
    layout = find_layout(str(tmp_path / image), str(tmp_path / mask))
    assert [one.path for one in layout.found] == [tmp_path / image]
    assert [one.path for one in list_masks(layout)] == [tmp_path / mask]
    (item,) = (source := Folder(tmp_path, ["a", "b"], layout.images, layout.masks)).select(source.item_names())
    assert item.name == (tmp_path / image).stem and item.mask.read().shape == (4, 4)


def write(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name), np.zeros((4, 4), np.uint8))


def find(folder):
    return find_layout(str(folder / "images"), str(folder / "masks"))


@pytest.mark.parametrize("separator", ["_", "-"])
def test_numbered_masks_beside_one_another_are_those_of_objects(separator, tmp_path):
    write(tmp_path, *(f"images/{name}.png" for name in "abc"))
    write(tmp_path, *(f"masks/{name}{separator}{number}.png" for name in "abc" for number in (1, 2, 3)))
    layout = find(tmp_path)
    assert layout.several and len(list_masks(layout)) == 9
    assert layout.masks == f"masks/{{stem}}{separator}*.*"


def test_one_number_in_all_names_of_masks_is_an_ending(tmp_path):
    write(tmp_path, *(f"images/{name}.png" for name in "abc"), *(f"masks/{name}_1.png" for name in "abc"))
    assert (find(tmp_path).masks, find(tmp_path).several) == ("masks/{stem}_1.*", False)


def test_of_equally_frequent_endings_that_of_masks_is_taken(tmp_path):
    write(tmp_path, *(f"images/{name}.png" for name in "abc"))
    write(tmp_path, *(f"masks/{name}_{kind}.png" for name in "abc" for kind in ("color", "edge", "labelIds")))
    assert find(tmp_path).masks == "masks/{stem}_labelIds.*"


@pytest.mark.parametrize("names", [("Train", "Val", "Test"), ("TRAINING", "VALID", "TESTING")])
def test_capital_letters_do_not_hide_a_split(names, tmp_path):
    write(tmp_path, *(f"{kind}/{name}/{name}.png" for kind in ("images", "masks") for name in names))
    layout = find(tmp_path)
    assert layout.images == "images/{split}"
    assert layout.split_folders == dict(zip(("train", "val", "test"), names, strict=True))


def test_a_split_of_the_images_alone_is_found(tmp_path):
    write(tmp_path, *(f"images/{name}/{name}.png" for name in ("train", "val")), "masks/train.png", "masks/val.png")
    layout = find(tmp_path)
    assert (layout.images, layout.masks) == ("images/{split}", "masks")
    assert layout.split_folders == {"train": "train", "val": "val"} and len(list_masks(layout)) == 2


@pytest.mark.parametrize("given", ["images masks", ". ."], ids=["two folders", "their folder"])
def test_a_test_folder_is_no_part_of_the_training_where_none_is_for_validation(given, tmp_path):
    pattern = "{kind}/{split}" if given == "images masks" else "{split}/{kind}"
    for kind, split in product(("images", "masks"), ("train", "test")):
        write(tmp_path, *(f"{pattern.format(kind=kind, split=split)}/{split}{n}.png" for n in range(3)))
    layout = find_layout(*(str(tmp_path / folder) for folder in given.split()))
    assert [image.path.stem for image in layout.found] == ["train0", "train1", "train2"]
    assert layout.reason.endswith("/test' are left out, for a test of the finished network.") or given == ". ."


def test_a_folder_may_have_a_name_that_looks_like_a_pattern(tmp_path):
    folder = tmp_path / "photos [v1]"
    write(folder, "images/a.png", "masks/a.png")
    layout = find(folder)
    assert (layout.root, layout.images, len(layout.found)) == (folder, "images", 1)
    (folder / "images").rename(folder / "images[1]")
    with pytest.raises(MisuseError, match=r"images\[1\]: .* rename it"):
        find_layout(str(folder / "images[1]"), str(folder / "masks"))


def test_masks_of_one_name_in_several_folders_are_not_those_of_objects(tmp_path):
    write(tmp_path, *(f"set/images/{name}.png" for name in "abc"))
    write(tmp_path, *(f"set/{version}/labels/{name}.png" for name in "abc" for version in ("v1", "v2")))
    with pytest.raises(MisuseError, match=r"set/v1/labels or .*set/v2/labels"):
        find_layout(str(tmp_path / "set"), str(tmp_path / "set"))
