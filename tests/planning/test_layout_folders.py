"""The folder of a data set, given for both images and masks: the two folders in it are found."""

import json
from pathlib import Path

import numpy as np
import pytest

from segapp.errors import MisuseError
from segapp.io import write_image
from segapp.planning.layout import FolderLayout, find_layout, list_masks
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
        ("one_train/**/images", "one_train/{stem}/masks/*"),
        3,
    ),
    "masks below their images": ("*.png masks/*_m.png", ("{root}", "{root}/masks/{stem}_m.*"), 3),
    "folders in those of the splits": (
        "train/img/*.png train/ann/*.png val/img/8.png val/ann/8.png",
        ("{split}/img", "{split}/ann"),
        4,
    ),
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
        ("train/*.png train_labels/*.png test/*.png test_labels/*.png", ["train train_labels", "test test_labels"]),
        ("set/img/*.png set/masks/*.png set/gt/*.png", ["set/img set/gt", "set/img set/masks"]),
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


def test_the_only_pair_of_folders_is_explained(tmp_path: Path) -> None:
    write(tmp_path, "scans/*.png scans/4.png mask/*_mask.png")
    with pytest.raises(MisuseError, match=r"1 of 4 images have no mask: 4\."):
        find(tmp_path)


def test_the_folder_to_give_is_one_of_images(tmp_path: Path) -> None:
    write(tmp_path, "annotation/x/*_a.png annotation/y/*_b.png photos/p8.png photos/p9.png other/q8.png")
    with pytest.raises(MisuseError, match=r"give both, as --images .*/other --masks FOLDER"):
        find(tmp_path)
