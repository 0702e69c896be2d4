"""Masks that another tool predicted: which file is an image's, and what is read of it."""

import numpy as np
import pytest

from segapp.datasets import Blocks, Folder, Indices
from segapp.datasets.masks.encoding import Labels
from segapp.datasets.predicted_masks import PredictedMasks
from segapp.errors import MisuseError
from segapp.io import write_image
from tests.io.volumes import make_voxels, write_nifti

CLASSES = ("background", "cell")
PIXELS = np.indices((6, 8)).sum(0).astype(np.uint8)
MASK = (PIXELS > 4).astype(np.uint8)


def write(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, pixels)


def write_truth(root, *names, **settings):
    for name in names:
        write(root / "images" / f"{name}.png", PIXELS)
        write(root / "masks" / f"{name}.png", MASK)
    source = Folder(root, CLASSES, **settings)
    return source.select(source.item_names())


def open_masks(folder, values=None):
    return PredictedMasks(folder, Indices(values), Labels(CLASSES, 0), "Say more.")


@pytest.mark.parametrize("name", ["a/1.tif", "1.png"])
def test_a_mask_has_the_name_of_its_image_with_or_without_folders(tmp_path, name):
    items = write_truth(tmp_path, "a/1", "a/2")
    write(tmp_path / "tool" / name, MASK * 7)
    masks = open_masks(tmp_path / "tool", {0: 0, 7: 1})
    assert [item.name for item in masks.find_items(items)] == ["a/1"]
    np.testing.assert_array_equal(masks.read(items[0]), MASK)


def test_names_that_are_those_of_other_images_or_of_two_are_refused(tmp_path):
    items = write_truth(tmp_path, "a/1", "b/1")
    write(tmp_path / "other/x.png", MASK)
    with pytest.raises(MisuseError, match=r"'x'.*'a/1'"):
        open_masks(tmp_path / "other").find_items(items)
    write(tmp_path / "flat/1.png", MASK)
    with pytest.raises(MisuseError, match=r"1\.png.*'a/1'.*'b/1'"):
        open_masks(tmp_path / "flat").find_items(items)


def test_blocks_are_read_from_the_mask_of_the_scene(tmp_path):
    big = np.kron(PIXELS, np.ones((8, 8), np.uint8))
    write(tmp_path / "images/s.png", big)
    write(tmp_path / "masks/s.png", (big > 4).astype(np.uint8))
    source = Folder(tmp_path, CLASSES, split=Blocks(size=32, gap=0))
    items = source.select(source.item_names())
    assert len(items) == 4
    masks = open_masks(tmp_path / "masks")
    for item in masks.find_items(items):
        np.testing.assert_array_equal(masks.read(item), item.mask.read())
    write(tmp_path / "small/s.png", MASK)
    with pytest.raises(MisuseError, match=r"s\.png: 6 x 8 .*'s@r0c0' has 48 x 64"):
        open_masks(tmp_path / "small").read(items[0])


def test_slices_are_those_of_a_volume_whatever_its_orientation(tmp_path):
    voxels = make_voxels()
    for folder, content, codes in (
        ("images", voxels, "LPS"),
        ("masks", voxels > 200, "LPS"),
        ("tool", voxels > 200, "RAS"),
    ):
        (tmp_path / folder).mkdir()
        write_nifti(tmp_path / folder / "v.nii.gz", content.astype(np.int16), codes)
    source = Folder(tmp_path, CLASSES)
    items = source.select(source.item_names())
    masks = open_masks(tmp_path / "tool")
    assert masks.find_items(items) == items
    for item in items:
        np.testing.assert_array_equal(masks.read(item), item.mask.read())
    write_nifti(tmp_path / "tool/v.nii.gz", voxels.astype(np.int16)[:, :, 1:])
    with pytest.raises(MisuseError, match=r"v\.nii\.gz.*grid"):
        open_masks(tmp_path / "tool").read(items[0])


def test_values_that_are_no_class_are_refused_with_the_way_to_name_them(tmp_path):
    items = write_truth(tmp_path, "1")
    write(tmp_path / "tool/1.png", MASK * 7)
    with pytest.raises(MisuseError, match=r"tool/1\.png: .* 7.*\. Say more\.$"):
        open_masks(tmp_path / "tool").read(items[0])
