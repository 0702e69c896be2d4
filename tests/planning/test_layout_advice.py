"""Messages about images without masks name what is missing."""

import re
from pathlib import Path

import h5py
import numpy as np
import pytest

from segapp.errors import MisuseError, SegappError
from segapp.io import write_image
from segapp.planning.layout import find_layout
from segapp.planning.source import describe_folder
from tests.io.dicoms import write_series
from tests.io.ome_zarrs import write_ome_zarr
from tests.io.volumes import write_nifti


def write_files(folder: Path, names: str) -> None:
    for name in names:
        write_image(folder / f"{name}.png", np.zeros((4, 4), np.uint8))


def test_the_images_without_a_mask_are_named_where_most_have_one(tmp_path):
    write_files(tmp_path / "images", "abcde")
    write_files(tmp_path / "masks", "abce")
    with pytest.raises(MisuseError, match=r"1 of 5 images have no mask: d\. For 'd', 'masks/d\.\*' was tried"):
        find_layout(str(tmp_path / "images"), str(tmp_path / "masks"))


@pytest.mark.parametrize(("images", "masks", "missing"), [("images", "mask", "mask"), ("image", "masks", "image")])
def test_a_folder_that_is_not_there_is_named_with_its_option(images, masks, missing, tmp_path):
    write_files(tmp_path / "images", "abc")
    write_files(tmp_path / "masks", "abc")
    option = "--masks" if missing == "mask" else "--images"
    with pytest.raises(MisuseError, match=f"{missing}: there is no such file or folder; correct {option}"):
        find_layout(str(tmp_path / images), str(tmp_path / masks))


def test_a_pattern_that_finds_nothing_is_shown_with_the_images(tmp_path):
    write_files(tmp_path / "images", "abc")
    write_files(tmp_path / "masks", "xyz")
    with pytest.raises(MisuseError, match=r"the masks in 'masks/\{name\}_seg.png' \(no files\) are not named after"):
        find_layout(str(tmp_path / "images"), str(tmp_path / "masks" / "{name}_seg.png"))


@pytest.mark.parametrize(
    ("image", "mask", "renaming"),
    [
        ("{:03}", "{}", "rename 1.png to 001.png"),
        ("{}", "{:03}", "rename 001.png to 1.png"),
        ("{}", "{:02}", "rename 01.png to 1.png"),
        ("img_{:03}", "mask_{}", "rename mask_1.png to mask_001.png"),
        ("s1_{:04}", "s1_{}_gt", "rename s1_1_gt.png to s1_0001_gt.png"),
    ],
)
def test_numbers_with_other_zeros_are_told(image, mask, renaming, tmp_path):
    for number in range(1, 13):
        write_image(tmp_path / "images" / f"{image.format(number)}.png", np.zeros((4, 4), np.uint8))
        write_image(tmp_path / "masks" / f"{mask.format(number)}.png", np.zeros((4, 4), np.uint8))
    with pytest.raises(MisuseError, match=f"have other zeros than those of the images.*: {renaming}, and the others"):
        find_layout(str(tmp_path / "images"), str(tmp_path / "masks"))


def test_files_of_several_arrays_are_told_how_to_name_one(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["image"] = file["label"] = np.zeros((4, 4), np.uint8)
    (tmp_path / "slices").mkdir()
    (tmp_path / "a.h5").rename(tmp_path / "slices/a.h5")
    way = "--images 'slices/*.h5:/image' --masks 'slices/{name}.h5:/label'"
    with pytest.raises(MisuseError, match=re.escape(way)):
        find_layout(str(tmp_path / "slices"), str(tmp_path / "slices"))
    write_ome_zarr(tmp_path / "cells/a.zarr", np.zeros((4, 4), np.uint8), "yx")
    way = "--images 'cells/*.zarr' --masks 'cells/{name}.zarr/labels/NAME'"
    with pytest.raises(MisuseError, match=re.escape(way)):
        find_layout(str(tmp_path / "cells"), str(tmp_path / "cells"))


def test_a_mask_with_fewer_slices_is_named_with_both_sizes(tmp_path):
    for name in "abc":
        for folder in ("images", "masks"):
            (tmp_path / folder).mkdir(exist_ok=True)
            depth = 2 if (name, folder) == ("b", "masks") else 3
            write_nifti(tmp_path / folder / f"{name}.nii.gz", np.ones((6, 5, depth), np.uint8), spacing=(1, 1, 2))
    with pytest.raises(MisuseError, match=r"b\.nii\.gz have 6 x 5 x 3 and 6 x 5 x 2 voxels; save the mask on the grid"):
        describe_folder(str(tmp_path / "images"), str(tmp_path / "masks"))


def test_a_series_with_a_gap_is_named_with_its_slices(tmp_path):
    (tmp_path / "masks").mkdir()
    for name in "abc":
        files = write_series(tmp_path / "images" / name, np.ones((6, 5, 4), np.int16))
        write_nifti(tmp_path / "masks" / f"{name}.nii.gz", np.ones((6, 5, 4), np.uint8), spacing=(1, 1, 2))
    files[1].unlink()
    with pytest.raises(SegappError, match=r"images/c/IMG.*slices are 2 mm apart but 4 mm .*add the missing slices"):
        describe_folder(str(tmp_path / "images"), str(tmp_path / "masks"))


def test_a_missing_channel_is_named(tmp_path):
    for name in "abc":
        for channel in range(2):
            write_image(tmp_path / "imagesTr" / f"{name}_000{channel}.png", np.zeros((4, 4), np.uint8))
    write_files(tmp_path / "labelsTr", "abc")
    (tmp_path / "imagesTr/c_0001.png").unlink()
    with pytest.raises(MisuseError, match=r"the image 'c' lacks the channels c_0001\.png"):
        describe_folder(str(tmp_path / "imagesTr"), str(tmp_path / "labelsTr"))


@pytest.mark.parametrize(
    ("suffix", "told"),
    [(".xml", "'CVAT for images 1.1'; convert those of other tools to masks"), (".mat", "MATLAB files are not read")],
)
def test_files_of_masks_that_are_no_images_are_told(suffix, told, tmp_path):
    """Formerly the names were said not to agree, which do."""
    write_files(tmp_path / "images", "abc")
    (tmp_path / "labels").mkdir()
    for name in "abc":
        (tmp_path / f"labels/{name}{suffix}").write_text("<x/>")
    with pytest.raises(MisuseError, match=told):
        find_layout(str(tmp_path / "images"), str(tmp_path / "labels"))


@pytest.mark.parametrize("folders", [("images", "labels"), ("cases", "cases")])
def test_files_of_masks_in_one_folder_with_the_images_are_told(folders, tmp_path):
    for name in "abc":
        write_files(tmp_path / folders[0], [name])
        (tmp_path / folders[1]).mkdir(exist_ok=True)
        (tmp_path / folders[1] / f"{name}.xml").write_text("<x/>")
    with pytest.raises(MisuseError, match="annotations in XML are read with"):
        find_layout(str(tmp_path), str(tmp_path))


def test_a_file_of_several_arrays_of_numpy_is_told(tmp_path):
    for name in "abc":
        np.savez(tmp_path / f"{name}.npz", image=np.zeros((4, 4)), label=np.zeros((4, 4)))
    with pytest.raises(
        MisuseError, match=r"a\.npz: NumPy file of 2 arrays \(image\.npy, label\.npy\); save each as a \.npy file"
    ):
        find_layout(str(tmp_path), str(tmp_path))


def test_missing_masks_are_not_those_of_other_numbers(tmp_path):
    """Formerly the mask of image 1 was to be renamed for image 6, which has none."""
    for number in range(1, 13):
        write_files(tmp_path / "images", [f"X_{number:04}_{number % 2}"])
        write_files(tmp_path / "mask", [f"X_{number:04}_{number % 2}_mask"] if number % 6 else [])
    with pytest.raises(MisuseError, match=r"2 of 12 images have no mask: X_0006_0") as refused:
        find_layout(str(tmp_path / "images"), str(tmp_path / "mask"))
    assert "rename" not in str(refused.value)


def test_the_patterns_of_few_masks_are_told(tmp_path):
    write_files(tmp_path / "01", [f"t{number:03}" for number in range(12)])
    write_files(tmp_path / "01_GT", [f"man_seg{number:03}" for number in (0, 3, 6)])
    way = "3 of 12 images have a mask under --images '01/t{name}.*' --masks '01_GT/man_seg{name}.*'"
    with pytest.raises(MisuseError, match=re.escape(way)):
        find_layout(str(tmp_path / "01"), str(tmp_path / "01_GT"))


def test_one_volume_is_told_to_be_saved_as_its_slices(tmp_path):
    for name in ("volume", "labels"):
        write_nifti(tmp_path / f"{name}.nii.gz", np.ones((6, 5, 4), np.uint8), spacing=(1, 1, 2))
    with pytest.raises(
        MisuseError, match=r"1 volume is too few: .* save its slices as images, each in a file of its own"
    ):
        describe_folder(str(tmp_path / "volume.nii.gz"), str(tmp_path / "labels.nii.gz"))
