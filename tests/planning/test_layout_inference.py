"""Names of published data sets: patterns are inferred where the usual ones find too few masks."""

import cv2
import numpy as np
import pytest

from segapp.errors import MisuseError
from segapp.planning.folder_layout import list_masks
from segapp.planning.layout import find_layout

LAYOUTS = {  # images, masks, other files; folders; expected patterns
    "DRIVE": (
        ["images/{0}_training.tif"],
        ["1st_manual/{0}_manual1.png"],
        ["mask/{0}_training_mask.png"],
        ("images", "1st_manual"),
        ("images/{name}_training.*", "1st_manual/{name}_manual1.*"),
    ),
    "ISIC": (
        ["data/ISIC_{0}.jpg"],
        ["gt/ISIC_{0}_segmentation.png"],
        ["data/ISIC_{0}_superpixels.png"],
        ("data", "gt"),
        ("data/{name}.jpg", "gt/{name}_segmentation.*"),
    ),
    "CHASE": (
        ["all/Image_{0}L.jpg"],
        ["all/Image_{0}L_1stHO.png"],
        ["all/Image_{0}L_2ndHO.png"],
        ("all", "all"),
        ("all/{name}.jpg", "all/{name}_1stHO.*"),
    ),
    "DeepGlobe": (
        ["train/{0}_sat.jpg"],
        ["train/{0}_mask.png"],
        [],
        ("train", "train"),
        ("train/{name}_sat.jpg", "train/{name}_mask.*"),
    ),
    "Cityscapes": (
        ["photos/train/ulm/ulm_{0}_photos.png", "photos/val/bonn/bonn_{0}_photos.png"],
        ["fine/train/ulm/ulm_{0}_fine_labelIds.png", "fine/val/bonn/bonn_{0}_fine_labelIds.png"],
        ["fine/train/ulm/ulm_{0}_fine_color.png", "fine/train/ulm/ulm_{0}_fine_instanceIds.png"],
        ("photos", "fine"),
        ("photos/{split}/{name}_photos.*", "fine/{split}/{name}_fine_labelIds.*"),
    ),
    "PH2": (
        ["ph2/IMD{0}/IMD{0}_Dermoscopic_Image/IMD{0}.png"],
        ["ph2/IMD{0}/IMD{0}_lesion/IMD{0}_lesion.png"],
        [],
        ("ph2", "ph2"),
        ("ph2/*/*_Dermoscopic_Image/*.*", "ph2/{stem}/{stem}_lesion/{stem}_lesion.*"),
    ),
    "a folder for each image": (
        ["cases/{0}/image.png"],
        ["cases/{0}/mask.png"],
        ["cases/{0}/overlay.png"],
        ("cases", "cases"),
        ("cases/**/image.*", "cases/{parent}/mask.*"),
    ),
    "the other file in the folder of each case": (
        ["cases/P_{0}/P_{0}.png"],
        ["cases/P_{0}/GT.png"],
        [],
        ("cases", "cases"),
        ("cases/*/*.*", "cases/{stem}/GT.*"),
    ),
    "two images of each case beside another file": (
        ["cases/p{0}/p{0}_frame01.png", "cases/p{0}/p{0}_frame12.png"],
        ["cases/p{0}/p{0}_frame01_gt.png", "cases/p{0}/p{0}_frame12_gt.png"],
        ["cases/p{0}/p{0}_4d.png"],
        ("cases", "cases"),
        ("cases/**/p*_frame*.*", "cases/{parent}/{stem}_gt.*"),
    ),
    "numbers after letters": (
        ["01/t{0}.tif"],
        ["01_ST/SEG/man_seg{0}.tif"],
        [],
        ("01", "01_ST/SEG"),
        ("01/t{name}.*", "01_ST/SEG/man_seg{name}.*"),
    ),
    "a folder around those of the masks": (
        ["photos/a/{0}.jpg"],
        ["truth/discs/a/{0}.bmp"],
        [],
        ("photos", "truth"),
        ("photos", "truth/discs"),
    ),
    "CRACK500": (
        ["train/{0}.jpg"],
        ["train/{0}.png"],
        [],
        ("train", "train"),
        ("train/{name}.jpg", "train/{name}.png"),
    ),
    "Helen": (
        ["train/{0}_image.png"],
        ["train/{0}_label.png"],
        ["train/{0}_viz.png"],
        ("train", "train"),
        ("train/{name}_image.*", "train/{name}_label.*"),
    ),
    "two beginnings": (
        ["a/img-{0}.png"],
        ["b/seg-{0}.png"],
        [],
        ("a", "b"),
        ("a/img-{name}.*", "b/seg-{name}.*"),
    ),
}


def write(root, patterns, names):
    for name in names:
        for pattern in patterns:
            path = root / pattern.format(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(path), np.zeros((4, 4), np.uint8))


@pytest.mark.parametrize(("images", "masks", "others", "folders", "expected"), LAYOUTS.values(), ids=LAYOUTS)
def test_patterns_are_inferred_from_all_names(images, masks, others, folders, expected, tmp_path):
    names = ["01", "02", "11", "12", "21", "31"]
    write(tmp_path, [*images, *masks, *others], names)
    layout = find_layout(str(tmp_path / folders[0]), str(tmp_path / folders[1]))
    assert (layout.images, layout.masks) == expected
    assert len(layout.found) == len(names) * len(images)
    found = {path.path.relative_to(tmp_path).as_posix() for path in list_masks(layout)}
    assert found == {pattern.format(name) for pattern in masks for name in names}


def test_files_of_a_class_may_have_its_ending(tmp_path):
    write(tmp_path, ["eyes/{0}.png", "truth/1. Spots/{0}_MA.png"], "abcd")
    write(tmp_path, ["truth/2. Blood/{0}_HE.png"], "bd")
    layout = find_layout(str(tmp_path / "eyes"), str(tmp_path / "truth"))
    assert (layout.masks, layout.classes) == ("truth/{class}/{stem}_*", ("1. Spots", "2. Blood"))
    assert len(list_masks(layout)) == 6


@pytest.mark.parametrize(
    "names",
    [
        ["img1", "img2", "img3"],
        ["x_1", "x_2", "y_1", "y_2"],
        ["p_10", "p_11", "q_10", "q_11"],
        ["train_1", "train_2", "train_3"],
    ],
)
@pytest.mark.parametrize("folders", [[""], ["left/", "right/"]])
def test_numbers_in_names_do_not_tell_which_are_masks(names, folders, tmp_path):
    write(tmp_path, [f"all/{folder}{{0}}.png" for folder in folders], names)
    with pytest.raises(MisuseError):
        find_layout(str(tmp_path / "all"), str(tmp_path / "all"))


@pytest.mark.parametrize(
    ("images", "masks"),
    [("a/{0}_mask.png", "b/{0}_photo.png"), ("a/{0}_x.png", "b/{0}9_y.png"), ("a/x/{0}_p.png", "b/y/{0}_m.png")],
    ids=["images that are called masks", "other names", "other folders"],
)
def test_names_that_do_not_agree_are_still_refused(images, masks, tmp_path):
    write(tmp_path, [images, masks], "abcd")
    with pytest.raises(MisuseError, match="not named after the images"):
        find_layout(str(tmp_path / "a"), str(tmp_path / "b"))


@pytest.mark.parametrize("rest", ["{0}_0.png", "b_{0}_0.png"], ids=["another number", "another source"])
def test_images_of_another_number_or_source_are_not_left_out(rest, tmp_path):
    """Formerly those of the ending with the most masks were taken, and the others were left out without a word."""
    write(tmp_path, ["x/{0}_1.png"], [f"a_{number}" for number in range(6)])
    write(tmp_path, ["y/{0}_1_mask.png"], [f"a_{number}" for number in range(6)])
    write(tmp_path, [f"x/{rest}"], [f"a_{number}" for number in range(10, 14)])
    with pytest.raises(MisuseError, match="4 of 10 images have no mask"):
        find_layout(str(tmp_path / "x"), str(tmp_path / "y"))


def test_a_mask_with_the_name_of_an_image_is_no_mask_of_another(tmp_path):
    write(tmp_path, ["x/{0}_4d.png", "x/{0}_1.png", "x/{0}_1_gt.png"], ["p1", "p2", "p3"])
    write(tmp_path, ["x/{0}_2.png"], ["p1", "p2"])
    layout = find_layout(str(tmp_path / "x"), str(tmp_path / "x"))
    assert (layout.images, layout.masks) == ("x/{name}_1.*", "x/{name}_1_gt.*")


def test_a_pattern_of_some_images_is_not_one_of_all(tmp_path):
    write(tmp_path, ["a/um_{0}.png", "a/uu_{0}.png", "b/um_road_{0}.png", "b/uu_road_{0}.png"], ["000", "001", "002"])
    with pytest.raises(MisuseError, match="not named after the images"):
        find_layout(str(tmp_path / "a"), str(tmp_path / "b"))


def test_images_without_masks_are_named_by_the_pattern_of_the_others(tmp_path):
    names = [f"top_{number}_{place}" for number in (2, 3) for place in (10, 11, 12)]
    write(tmp_path, ["a/{0}_RGB.png", "b/{0}_label.png"], names)
    (tmp_path / "b/top_2_12_label.png").unlink()
    with pytest.raises(MisuseError, match=r"1 of 6 images have no mask: top_2_12_RGB\. .*'b/top_2_12_label"):
        find_layout(str(tmp_path / "a"), str(tmp_path / "b"))
