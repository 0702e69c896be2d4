"""Neighbouring slices as channels, and masks that lie on their volume."""

import numpy as np
import pytest

from segapp.errors import MisuseError
from segapp.io import Image, explain_unlike_volumes, list_parts, open_image, write_image
from segapp.spec import Intensity
from tests.io.volumes import make_voxels, write_nifti

VOXELS = make_voxels()  # (5, 4, 3): 100 l + 10 p + s
RANGE = Intensity("range", 0, 1000)


def test_neighbours_are_channels_and_the_last_slice_is_repeated(tmp_path):
    parts = list_parts(write_nifti(tmp_path / "a.nii.gz", VOXELS, "RAS"))
    for index, around in enumerate([(0, 0, 1), (0, 1, 2), (1, 2, 2)]):
        image = open_image(parts[index], 3, RANGE, neighbours=1)
        assert image.shape == (4, 5, 3) and image.dtype == np.float32
        expected = np.stack([VOXELS[:, :, each].T for each in around], axis=2) / 1000
        np.testing.assert_allclose(image.read(), expected, atol=1e-6)
        np.testing.assert_allclose(image.read_window(1, 2, 2, 3), expected[1:3, 2:5], atol=1e-6)
    assert open_image(parts[0], None, RANGE, neighbours=2).shape == (4, 5, 5)
    assert type(open_image(parts[0], 1, RANGE)) is Image


def test_channels_of_all_slices_are_a_multiple(tmp_path):
    with pytest.raises(MisuseError, match="multiple of 3"):
        open_image(list_parts(write_nifti(tmp_path / "a.nii.gz", VOXELS))[0], 4, RANGE, neighbours=1)


def test_an_image_that_is_no_slice_is_its_own_neighbour(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (6, 7), np.uint8)
    write_image(tmp_path / "a.png", pixels)
    np.testing.assert_array_equal(
        open_image(tmp_path / "a.png", 3, neighbours=1).read(), np.stack([pixels] * 3, axis=2)
    )


def test_masks_of_another_grid_are_explained(tmp_path):
    image = write_nifti(tmp_path / "a.nii.gz", VOXELS, "LPS")
    assert explain_unlike_volumes(image, write_nifti(tmp_path / "same.nii", VOXELS, "RAS")) is None
    other = write_nifti(tmp_path / "other.nii", VOXELS[:, :, :2])
    write_image(tmp_path / "b.png", np.zeros((4, 5), np.uint8))
    (tmp_path / "empty.nii").touch()
    for mask in (other, tmp_path / "b.png", tmp_path / "empty.nii"):
        assert str(mask) in explain_unlike_volumes(image, mask)
