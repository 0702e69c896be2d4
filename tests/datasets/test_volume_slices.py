"""Folders of volumes: every slice is an image, and all slices of a volume stay together."""

import re

import numpy as np
import pytest

from segapp.datasets import Folder, Fraction
from segapp.datasets.split_lists import Lists
from segapp.errors import MisuseError, SegappError
from segapp.spec import Intensity
from tests.io.volumes import make_voxels, write_nifti

VOXELS = make_voxels((5, 4, 3))
CLASSES = ("background", "object")
SPACING = (1.0, 1.0, 3.0)


def make_volumes(root, names=("a", "b", "c"), codes="LPS", mask_codes="RAS"):
    for folder in ("imagesTr", "labelsTr"):
        (root / folder).mkdir(exist_ok=True)
    for number, name in enumerate(names):
        write_nifti(root / "imagesTr" / f"{name}.nii.gz", VOXELS + number, codes, SPACING)
        write_nifti(root / "labelsTr" / f"{name}.nii.gz", (VOXELS > 200).astype(np.uint8), mask_codes, SPACING)


def make_folder(root, **settings):
    return Folder(root, CLASSES, **({"images": "imagesTr", "masks": "labelsTr"} | settings))


def test_every_slice_is_an_item_with_the_slice_of_its_mask(tmp_path):
    make_volumes(tmp_path)
    folder = make_folder(tmp_path, intensity=Intensity("range", 0, 1000))
    items = folder.select(folder.item_names())
    assert [item.name for item in items] == [f"{name}/axial={index}" for name in "abc" for index in range(3)]
    assert [item.group for item in items] == [name for name in "abc" for _ in range(3)]
    for item, index in zip(items[:3], range(3), strict=True):
        np.testing.assert_allclose(item.image.read()[..., 0], VOXELS[:, :, index].T / 1000, atol=1e-6)
        np.testing.assert_array_equal(item.mask.read(), VOXELS[:, :, index].T > 200)
        np.testing.assert_array_equal(item.mask.read_window(1, 2, 2, 3), (VOXELS[:, :, index].T > 200)[1:3, 2:5])
    assert list(folder.problems()) == []


def test_the_axis_is_chosen(tmp_path):
    make_volumes(tmp_path, "a")
    items = make_folder(tmp_path, axis="coronal").select(["a/coronal=2"])
    np.testing.assert_array_equal(items[0].mask.read(), VOXELS[:, 2, ::-1].T > 200)


def test_ten_slices_are_in_natural_order_and_a_pattern_leaves_some_out(tmp_path):
    (tmp_path / "imagesTr").mkdir()
    (tmp_path / "labelsTr").mkdir()
    for folder in ("imagesTr", "labelsTr"):
        write_nifti(tmp_path / folder / "v.nii.gz", np.zeros((4, 4, 12), np.uint8))
    folder = make_folder(tmp_path, exclude=["v/axial=0*"])
    assert folder.item_names() == ["v/axial=10", "v/axial=11"]


@pytest.mark.parametrize("seed", range(5))
def test_a_volume_is_never_divided(tmp_path, seed):
    make_volumes(tmp_path, "abcdef")
    folder = make_folder(tmp_path, split=Fraction(0.3, 0.2, seed))
    groups = [{item.group for item in folder.items(split)} for split in ("train", "val", "test")]
    assert all(groups) and len(set.union(*groups)) == sum(map(len, groups)) == 6


def test_a_list_names_volumes(tmp_path):
    make_volumes(tmp_path)
    (tmp_path / "train.txt").write_text("imagesTr/a.nii.gz\nb\n")
    (tmp_path / "val.txt").write_text("c.nii.gz\n")
    folder = make_folder(tmp_path, split=Lists("train.txt", "val.txt"))
    assert [item.name for item in folder.items("val")] == [f"c/axial={index}" for index in range(3)]
    assert len(folder.items("train")) == 6


def test_groups_are_searched_in_the_volumes_name(tmp_path):
    make_volumes(tmp_path, ("p1_a", "p1_b", "p2_a"))
    items = make_folder(tmp_path, group="^(p[0-9])_").select(["p1_b/axial=0", "p2_a/axial=1"])
    assert [item.group for item in items] == ["p1", "p2"]


def test_neighbours_are_channels_of_the_source(tmp_path):
    make_volumes(tmp_path)
    folder = make_folder(tmp_path, neighbours=1, intensity=Intensity("range", 0, 1000))
    (item,) = folder.select(["a/axial=0"])
    assert folder.channels == 3 and item.image.shape == (4, 5, 3)
    np.testing.assert_allclose(item.image.read()[0, 0], [0, 0, 0.001], atol=1e-6)
    with pytest.raises(MisuseError, match="neighbours"):
        make_folder(tmp_path, neighbours=9)


def test_volumes_of_several_types_are_scaled_alike(tmp_path):
    make_volumes(tmp_path, "ab")
    write_nifti(tmp_path / "imagesTr" / "a.nii.gz", (VOXELS // 4).astype(np.uint8), "LPS", SPACING)
    folder = make_folder(tmp_path)
    assert folder.intensity == Intensity("percentile", 0.5, 99.5)
    first, second = (item.image.read() for item in folder.select(["a/axial=1", "b/axial=1"]))
    assert first.dtype == second.dtype == np.float32 and np.abs(first - second).max() < 0.02


def test_masks_of_other_slices_are_problems_of_both_files(tmp_path):
    make_volumes(tmp_path)
    write_nifti(tmp_path / "labelsTr" / "b.nii.gz", np.zeros((5, 4, 2), np.uint8), spacing=SPACING)
    (problem,) = list(make_folder(tmp_path).layout_problems())
    assert (
        problem.path == tmp_path / "labelsTr" / "b.nii.gz"
        and str(tmp_path / "imagesTr" / "b.nii.gz") in problem.message
    )
    with pytest.raises(SegappError, match="5 x 4 x 2"):
        make_folder(tmp_path).items("train")


def test_a_broken_volume_is_a_problem_of_its_file(tmp_path):
    make_volumes(tmp_path)
    path = tmp_path / "imagesTr" / "b.nii.gz"
    path.write_bytes(path.read_bytes()[:60])
    folder = make_folder(tmp_path)
    assert "b" in folder.item_names() and "b/axial=0" not in folder.item_names()
    assert any(problem.path == path and "truncated" in problem.message for problem in folder.problems())


def test_nnunet_names(tmp_path):
    make_volumes(tmp_path, ("case_1", "case_2", "case_3"))
    for path in list((tmp_path / "imagesTr").iterdir()):
        path.rename(path.with_name(path.name.replace(".nii", "_0000.nii")))
    folder = make_folder(tmp_path, images="imagesTr/{name}_0000.nii.gz")
    assert folder.item_names()[0] == "case_1_0000/axial=0" and len(folder.select(folder.item_names())) == 9
    with pytest.raises(MisuseError, match=re.escape('channel_files: ["{name}_0000"]')):
        make_folder(tmp_path).items("train")
