"""Folders of images whose channels are in files of their own."""

import numpy as np
import PIL.Image
import pytest

from segapp.datasets import Folder, Fraction
from segapp.errors import MisuseError
from segapp.spec import Intensity
from tests.io.volumes import make_voxels, write_nifti

CLASSES = ("background", "object")
VOXELS = make_voxels((5, 4, 3))
TWO = ["{name}_0000", "{name}_0001"]


def write_images(root, names="abc", channels=2, suffix=".png"):
    for folder in ("imagesTr", "labelsTr"):
        (root / folder).mkdir(exist_ok=True)
    for number, name in enumerate(names):
        for channel in range(channels):
            pixels = np.full((6, 7), 10 * number + channel, np.uint8)
            PIL.Image.fromarray(pixels).save(root / "imagesTr" / f"{name}_{channel:04}{suffix}")
        PIL.Image.fromarray(np.eye(6, 7, dtype=np.uint8)).save(root / "labelsTr" / f"{name}{suffix}")


def make_folder(root, channel_files=TWO, **settings):
    given = {"images": "imagesTr", "masks": "labelsTr", "channel_files": channel_files}
    return Folder(root, CLASSES, **given | settings)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_channels_of_an_image_are_joined_and_its_mask_has_its_name(tmp_path, suffix):
    write_images(tmp_path, suffix=suffix)
    folder = make_folder(tmp_path)
    assert folder.item_names() == ["a", "b", "c"] and folder.channels == 2
    (item,) = folder.select(["b"])
    assert item.group == "b" and item.image.read()[0, 0].tolist() == [10, 11]
    assert item.mask.read().sum() == 6
    assert list(folder.problems()) == []


def test_one_channel_of_nnunet_is_a_plain_image(tmp_path):
    write_images(tmp_path, channels=1)
    folder = make_folder(tmp_path, TWO[:1])
    assert folder.item_names() == ["a", "b", "c"] and folder.channels == 1
    assert list(folder.problems()) == []


def test_volumes_are_joined_slice_by_slice_and_never_divided(tmp_path):
    for folder in ("imagesTr", "labelsTr"):
        (tmp_path / folder).mkdir()
    for name in "abcdef":
        for channel, codes in enumerate(("LPS", "RAS")):
            write_nifti(tmp_path / "imagesTr" / f"{name}_000{channel}.nii.gz", VOXELS + 500 * channel, codes)
        write_nifti(tmp_path / "labelsTr" / f"{name}.nii.gz", (VOXELS > 200).astype(np.uint8))
    folder = make_folder(tmp_path, intensity=Intensity("range", 0, 1000), split=Fraction(0.3, 0.2, 0))
    (item,) = folder.select(["c/axial=1"])
    assert item.group == "c" and item.image.shape == (4, 5, 2)
    np.testing.assert_allclose(item.image.read()[..., 1], VOXELS[:, :, 1].T / 1000 + 0.5, atol=1e-6)
    groups = [{item.group for item in folder.items(split)} for split in ("train", "val", "test")]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 6
    write_nifti(tmp_path / "imagesTr" / "b_0001.nii.gz", VOXELS[:, :, :2])
    (problem,) = make_folder(tmp_path).layout_problems()
    assert "b_0001.nii.gz" in problem.message and "5 x 4 x 2" in problem.message


def test_a_missing_channel_is_one_problem(tmp_path):
    write_images(tmp_path)
    (tmp_path / "imagesTr" / "b_0001.png").unlink()
    (problem,) = make_folder(tmp_path).layout_problems()
    assert "'b'" in problem.message and "b_0001.png" in problem.message and problem.setting == "channel_files"
    with pytest.raises(MisuseError, match=r"b_0001\.png"):
        make_folder(tmp_path).items("train")
    assert make_folder(tmp_path, exclude=["b"]).item_names() == ["a", "c"]


def test_a_first_channel_may_be_the_missing_one(tmp_path):
    write_images(tmp_path)
    (tmp_path / "imagesTr" / "a_0000.png").unlink()
    (problem,) = make_folder(tmp_path, channels=2).layout_problems()
    assert "a_0000.png" in problem.message


def test_a_file_that_is_no_channel_is_named(tmp_path):
    write_images(tmp_path)
    (tmp_path / "imagesTr" / "a_0000.png").rename(tmp_path / "imagesTr" / "a_0007.png")
    (tmp_path / "imagesTr" / "a_0001.png").unlink()
    problems = list(make_folder(tmp_path).layout_problems())
    assert any("a_0007.png" in problem.message and "{name}_0001" in problem.message for problem in problems)


@pytest.mark.parametrize(
    "given", ["{name}_0000", ["_0000"], ["{name}_0000.png"], ["x/{name}"], ["{name}", "{name}"], ["{stem}_{name}"]]
)
def test_names_of_channels_are_checked(tmp_path, given):
    with pytest.raises(MisuseError, match="channel_files"):
        make_folder(tmp_path, given)
