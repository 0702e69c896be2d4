"""The folder of a data set, given for both images and masks: the two folders in it are found."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from segapp.errors import MisuseError
from segapp.io import write_image
from segapp.planning.folder_layout import FolderLayout, list_masks
from segapp.planning.layout import find_layout
from segapp.planning.layout_folders import find_only_folder, list_splits_of, propose_pairs

ROOTS = {  # files, expected patterns, how many images
    "CamVid": (
        "{train,val,test}/*.jpg {train,val,test}annot/*.png",
        ("{split}", "{split}annot"),
        9,
    ),
    "Massachusetts": ("tiff/{train,val}/*.png tiff/{train,val}_labels/*.png", ("{split}", "{split}_labels"), 6),
    "Decathlon": ("imagesTr/*.png labelsTr/*.png imagesTs/8.png imagesTs/9.png", ("imagesTr", "labelsTr"), 3),
    "VOC": (
        "JPEGImages/*.jpg SegmentationClass/*.png SegmentationObject/*.png",
        ("JPEGImages", "SegmentationClass"),
        3,
    ),
    "nuclei": (
        "one_train/*/images/*.png one_train/*/masks/*.png one_train/*/masks/*_2.png one_test/8/images/8.png",
        ("{root}/one_train/**/images", "{root}/one_train/{stem}/masks/*"),
        3,
    ),
    "masks below their images": ("*.png masks/*_m.png", ("{root}", "{root}/masks/{stem}_m.*"), 3),
    "folders in those of the splits": (
        "train/img/*.png train/ann/*.png val/img/8.png val/ann/8.png",
        ("{split}/img", "{split}/ann"),
        4,
    ),
    "a folder of masks that are no classes": (
        "t/image_2/*.png t/semantic/*.png t/semantic_rgb/*.png",
        ("image_2", "semantic"),
        3,
    ),
    "maps beside images": (
        "train/sat/*.png train/map/*.png val/sat/8.png val/map/8.png",
        ("{split}/sat", "{split}/map"),
        4,
    ),
    "further down": (
        "images/10k/{train,val}/*.jpg labels/sem/masks/{train,val}/*.png labels/sem/colormaps/{train,val}/*.png",
        ("images/10k/{split}", "labels/sem/masks/{split}"),
        6,
    ),
    "a split in the name of a folder": (
        "images/{train,val}2017/*.jpg labels/{train,val}2017/*.png",
        ("images/{split}2017", "labels/{split}2017"),
        6,
    ),
    "a split named twice": (
        "train/train-org/1.jpg train/train-lab/1_l.png val/val-org/2.jpg val/val-lab/2_l.png",
        ("{split}/{split}-org", "{split}/{split}-lab/{stem}_l.*"),
        2,
    ),
    "training and validation in one": (
        "train_val/images/*.png train_val/masks/*.png TEST/images/8.png TEST/masks/8.png",
        ("{root}/train_val/**/images", "{root}/train_val/**/masks/{stem}.*"),
        3,
    ),
    "training and test side by side": ("{train,test}_img/*.png {train,test}_lab/*.png", ("train_img", "train_lab"), 3),
    "no masks but those of training": (
        "{train,valid}/*_sat.jpg {train}/*_mask.png",
        ("train/{name}_sat.jpg", "train/{name}_mask.*"),
        3,
    ),
    "folders of cities": ("{a,b}/img/*.png {a,b}/ann/*.png", ("{root}/*/img", "{root}/*/ann"), 6),
    "test images without masks": ("train/img/*.png train/ann/*.png test/img/8.png", ("img", "ann"), 3),
}


def write(root: Path, patterns: str) -> None:
    """Write files by patterns, in which a star is each of 1, 2 and 3, and {a,b} is each word."""
    for pattern in patterns.split():
        start, brace, rest = pattern.partition("{")
        words, _, end = rest.partition("}")
        for word in words.split(","):
            for number in "123" if "*" in pattern else "1":
                path = root / (f"{start}{word}{end}" if brace else pattern).replace("*", f"{word}{number}")
                write_image(path, np.zeros((4, 4), np.uint8))


def find(root: Path) -> FolderLayout:
    return find_layout(str(root), str(root))


@pytest.mark.parametrize(("files", "expected", "count"), ROOTS.values(), ids=ROOTS)
def test_the_folders_of_images_and_masks_are_found(
    files: str, expected: tuple[str, str], count: int, tmp_path: Path
) -> None:
    root = tmp_path / "set"
    write(root, files)
    layout = find(root)
    assert (layout.images, layout.masks) == tuple(each.replace("{root}", "set") for each in expected)
    assert len(layout.found) == count and len(list_masks(layout)) >= count


@pytest.mark.parametrize(
    ("files", "pairs"),
    [
        ("images/*.png lungs_mask/*.png hearts_mask/*.png", ["images hearts_mask", "images lungs_mask"]),
        ("set/img/*.png set/masks/*.png set/gt/*.png", ["set/img set/gt", "set/img set/masks"]),
        (
            "{train}/images/*.png {train}/v1/labels/*.png {train}/v2/labels/*.png",
            ["train/images train/v1/labels", "train/images train/v2/labels"],
        ),
        ("x/img/*.png x/gt/*.png y/img/*.png y/gt/*.png", ["x x", "y y"]),
        (
            "training/images/*_training.png training/1st_manual/*_manual1.png training/mask/*_training_mask.png "
            "test/images/8_test.png",
            ["training/images training/1st_manual", "training/images training/mask"],
        ),
    ],
)
def test_of_several_pairs_of_folders_one_must_be_given(files: str, pairs: list[str], tmp_path: Path) -> None:
    write(tmp_path, files)
    with pytest.raises(MisuseError) as refused:
        find(tmp_path)
    for pair in pairs:
        images, masks = (tmp_path / name for name in pair.split())
        assert f"--images {images} --masks {masks}" in str(refused.value)


def test_images_of_a_split_are_not_paired_with_masks_of_another(tmp_path: Path) -> None:
    for name in ("train", "train_labels", "test", "test_labels"):
        (tmp_path / name).mkdir()
        write_image(tmp_path / name / "1.png", np.zeros((4, 4), np.uint8))
    names = [(images.name, masks.name) for images, masks in propose_pairs(tmp_path)]
    assert names == [("train", "train_labels"), ("test", "test_labels")]


def test_a_folder_beside_a_file_is_not_alone(tmp_path: Path) -> None:
    write(tmp_path, "set/photos/*.png")
    (tmp_path / ".hidden").touch()
    assert find_only_folder(tmp_path) == tmp_path / "set"
    (tmp_path / "annotations.json").touch()
    assert find_only_folder(tmp_path) is None


@pytest.mark.parametrize("name", ["unlabelled", "SegmentationObject", "mask_colors"])
def test_folders_of_other_words_are_no_masks(name: str, tmp_path: Path) -> None:
    write(tmp_path, f"photos/*.png {name}/*.png")
    assert propose_pairs(tmp_path) == []


def test_masks_go_before_annotations_of_the_same_images(tmp_path: Path) -> None:
    write(tmp_path, "images/*.png semantic_masks/*.png")
    (tmp_path / "annotations").mkdir()
    for name in "123":
        (tmp_path / f"annotations/{name}.json").write_text(json.dumps({"shapes": [], "imagePath": f"{name}.png"}))
    assert find(tmp_path).masks == "semantic_masks"


def test_the_folders_of_other_splits_are_those_of_training_by_another_name() -> None:
    pair = Path("set/train"), Path("set/trainannot")
    assert list_splits_of(pair, ["train", "val"]) == {pair, (Path("set/val"), Path("set/valannot"))}


def test_a_folder_of_annotations_is_one_of_masks(tmp_path: Path) -> None:
    write(tmp_path, "photos/*.png")
    (tmp_path / "shapes").mkdir()
    for name in "123":
        (tmp_path / f"shapes/{name}.json").write_text(json.dumps({"shapes": [], "imagePath": f"{name}.png"}))
    assert (find(tmp_path).images, find(tmp_path).masks) == ("photos", "shapes")


def test_folders_without_masks_are_named(tmp_path: Path) -> None:
    write(tmp_path, "left/*.png right/8.png right/9.png")
    with pytest.raises(
        MisuseError, match=r"of its folders \(left, right\) none has masks .* give both, as --images .*left"
    ):
        find(tmp_path)


def test_training_data_in_three_formats_are_told_apart(tmp_path: Path) -> None:
    write(tmp_path, "coco/photos/*.jpg labelme/*.jpg voc/photos/*.jpg voc/classes_mask/*.png")
    content = {"images": [], "annotations": [], "categories": []}
    (tmp_path / "coco/annotations.json").write_text(json.dumps(content))
    for name in "123":
        (tmp_path / f"labelme/{name}.json").write_text(json.dumps({"shapes": [], "imagePath": f"{name}.jpg"}))
    with pytest.raises(MisuseError) as refused:
        find(tmp_path)
    for pair in ("coco coco", "labelme labelme", "voc voc"):
        images, masks = (tmp_path / name for name in pair.split())
        assert f"--images {images} --masks {masks}" in str(refused.value)


def test_a_file_of_annotations_for_each_split_is_found_beside_folders_of_images(tmp_path: Path) -> None:
    write(tmp_path, "{train,val}2017/*.jpg")
    (tmp_path / "annotations").mkdir()
    for split in ("train", "val"):
        for kind in ("instances", "captions"):
            content = json.dumps({"images": [], "annotations": [], "categories": []})
            (tmp_path / f"annotations/{kind}_{split}2017.json").write_text(content)
    layout = find(tmp_path)
    assert (layout.images, layout.masks) == ("{split}2017", "annotations/instances_{split}2017.json")


def test_the_folders_of_which_most_images_have_masks_are_named(tmp_path: Path) -> None:
    write(tmp_path, "test/broken/*.png test/cut/*.png test/good/*.png train/good/*.png")
    write(tmp_path, "ground_truth/broken/*_mask.png ground_truth/cut/*_mask.png")
    with pytest.raises(MisuseError, match=r"3 of 9 images have no mask: good/1.*out of 'test'"):
        find(tmp_path)


def test_images_that_are_no_training_are_not_taken_for_it(tmp_path: Path) -> None:
    write(tmp_path, "train/photos/*.png val/img/8.png val/img/9.png val/ann/8.png val/ann/9.png")
    with pytest.raises(MisuseError):
        find(tmp_path)


def test_folders_of_images_and_masks_whose_names_differ_are_named(tmp_path: Path) -> None:
    write(tmp_path, "{training,testing}/photos/*.png training/gt_photos/x8.png training/gt_photos/x9.png")
    pair = f"--images {tmp_path / 'training/photos'} --masks {tmp_path / 'training/gt_photos'}"
    with pytest.raises(MisuseError, match=re.escape(pair)):
        find(tmp_path)


def test_the_only_pair_of_folders_is_explained(tmp_path: Path) -> None:
    write(tmp_path, "scans/*.png scans/4.png mask/*_mask.png")
    with pytest.raises(MisuseError, match=r"1 of 4 images have no mask: 4\."):
        find(tmp_path)


def test_the_folder_to_give_is_one_of_images(tmp_path: Path) -> None:
    write(tmp_path, "annotation/x/*_a.png annotation/y/*_b.png photos/p8.png photos/p9.png other/q8.png")
    with pytest.raises(MisuseError, match=r"give both, as --images .*/other --masks .*/annotation/x"):
        find(tmp_path)
