"""A volume becomes one volume of masks, in the geometry of its file."""

import json

import nibabel
import numpy as np
import pytest
import tifffile

from segapp.commands.predict import predict
from segapp.spec import Intensity
from tests.inference.checkpoints import make_spec, write_checkpoint
from tests.io.volumes import write_nifti
from tests.prediction.predicting import ALLOWED, files, scene, table

RANGE = Intensity("range", 0, 1000)
SPACING = (0.5, 0.75, 3.0)


def make_bright(sizes=(50, 40, 6), seed=0):
    """(L, P, S) int16 of 100 and 900, so that a network finds the same voxels without doubt."""
    return np.where(np.random.default_rng(seed).random(sizes) > 0.7, 900, 100).astype(np.int16)


@pytest.fixture
def run(tmp_path):
    (tmp_path / "images").mkdir()

    def start(spec=None, **options):
        spec = spec or make_spec(channels=1, intensity=RANGE)
        checkpoint = write_checkpoint(tmp_path / "best.ckpt", spec)
        settings = {"ckpt_path": str(checkpoint), "images": str(tmp_path / "images"), "output": str(tmp_path / "out")}
        return predict(**(settings | {"device": "cpu", "allow": ALLOWED} | options))

    return start


@pytest.mark.parametrize("codes", ["LPS", "RAS", "PIR"])
def test_the_mask_of_a_volume_is_voxel_exact(tmp_path, run, codes):
    voxels = make_bright()
    path = write_nifti(tmp_path / "images" / "a.nii.gz", voxels, codes, SPACING)
    assert run() == 0
    assert files(tmp_path / "out") == ["mask/a.nii.gz"]
    image, mask = nibabel.load(path), nibabel.load(tmp_path / "out" / "mask" / "a.nii.gz")
    np.testing.assert_array_equal(np.asanyarray(mask.dataobj), np.asanyarray(image.dataobj) == 900)
    np.testing.assert_array_equal(mask.affine, image.affine)
    np.testing.assert_array_equal(mask.header["pixdim"], image.header["pixdim"])
    assert mask.get_data_dtype() == np.uint8
    (row,) = table(tmp_path / "out")
    assert (row["image"], row["height"], row["width"]) == ("a.nii.gz", "40", "50")
    assert int(row["cell/pixels"]) == (voxels == 900).sum() and int(row["background/pixels"]) == (voxels == 100).sum()
    assert [each["name"] for each in json.loads((tmp_path / "out" / "classes.json").read_text())][1] == "cell"


def test_volumes_and_images_are_done_together_and_a_broken_volume_is_skipped(tmp_path, run, capsys):
    images = tmp_path / "images"
    write_nifti(images / "a.nii.gz", make_bright(), spacing=SPACING)
    half = write_nifti(images / "b.nii.gz", make_bright((50, 40, 60), 1), spacing=SPACING)
    half.write_bytes(half.read_bytes()[:2000])
    write_nifti(images / "c.nii", make_bright((50, 40, 3), 2), spacing=SPACING)
    tifffile.imwrite(images / "d.tif", scene(40, 50)[0][..., 0].astype(np.uint16), photometric="minisblack")
    assert run() == 1
    assert files(tmp_path / "out") == ["mask/a.nii.gz", "mask/c.nii", "mask/d.tif"]
    assert [row["image"] for row in table(tmp_path / "out")] == ["a.nii.gz", "c.nii", "d.tif"]
    assert capsys.readouterr().err.count("b.nii.gz") == 1
    assert run() == 1  # the others are done
    mask = np.asanyarray(nibabel.load(tmp_path / "out" / "mask" / "c.nii").dataobj)
    assert (mask == (make_bright((50, 40, 3), 2)[..., :] == 900)).all()


def test_neighbours_of_the_checkpoint_are_channels(tmp_path, run):
    """The mean of three slices is bright where two of them are."""
    voxels = make_bright()
    write_nifti(tmp_path / "images" / "a.nii.gz", voxels, "LPS", SPACING)
    assert run(make_spec(channels=3, neighbours=1, intensity=RANGE)) == 0
    mask = np.asanyarray(nibabel.load(tmp_path / "out" / "mask" / "a.nii.gz").dataobj)
    padded = np.pad(voxels, ((0, 0), (0, 0), (1, 1)), mode="edge").astype(float)
    mean = (padded[..., :-2] + padded[..., 1:-1] + padded[..., 2:]) / 3
    np.testing.assert_array_equal(mask, mean > 500)


def test_channels_in_files_of_their_own_become_one_mask(tmp_path, run, capsys):
    """The mean of two channels is bright where both are; a case without one of them is skipped."""
    first, second = make_bright(), make_bright(seed=1)
    for number, (voxels, codes) in enumerate(((first, "RAS"), (second, "LPS"))):
        write_nifti(tmp_path / "images" / f"a_000{number}.nii.gz", voxels, codes, SPACING)
    write_nifti(tmp_path / "images" / "b_0000.nii.gz", first, "RAS", SPACING)
    spec = make_spec(channels=2, intensity=RANGE, channel_files=("{name}_0000", "{name}_0001"))
    assert run(spec) == 1
    assert files(tmp_path / "out") == ["mask/a.nii.gz"]
    assert "b_0001.nii.gz" in capsys.readouterr().err
    image, mask = nibabel.load(tmp_path / "images" / "a_0000.nii.gz"), nibabel.load(tmp_path / "out/mask/a.nii.gz")
    np.testing.assert_array_equal(mask.affine, image.affine)
    both = ((first == 900) & (second == 900))[::-1, ::-1]  # as the file is stored
    np.testing.assert_array_equal(np.asanyarray(mask.dataobj), both)
    write_nifti(tmp_path / "images" / "b_0001.nii.gz", second, "RAS", SPACING)
    write_nifti(tmp_path / "images" / "a_0001.nii.gz", first, "LPS", SPACING)  # another second channel: done anew
    assert run(spec) == 0 and files(tmp_path / "out") == ["mask/a.nii.gz", "mask/b.nii.gz"]
    np.testing.assert_array_equal(
        np.asanyarray(nibabel.load(tmp_path / "out/mask/a.nii.gz").dataobj), (first == 900)[::-1, ::-1]
    )


def test_the_axis_of_the_checkpoint_cuts_the_volume(tmp_path, run):
    voxels = make_bright((40, 30, 6))
    write_nifti(tmp_path / "images" / "a.nii.gz", voxels, "RAS", (1, 1, 3))
    assert run(make_spec(channels=1, slice_axis="coronal", intensity=RANGE)) == 0
    (row,) = table(tmp_path / "out")
    assert (row["height"], row["width"]) == ("6", "40")
    mask = np.asanyarray(nibabel.load(tmp_path / "out" / "mask" / "a.nii.gz").dataobj)
    np.testing.assert_array_equal(mask[::-1, ::-1], voxels == 900)


def test_outputs_of_single_images_are_refused_for_volumes(tmp_path, run, capsys):
    write_nifti(tmp_path / "images" / "a.nii.gz", make_bright(), spacing=SPACING)
    assert run(save=["mask", "overlay"]) == 1
    assert "--save overlay" in capsys.readouterr().err and files(tmp_path / "out") == []


def test_the_mask_of_a_hyperstack_has_its_times_and_no_neighbours_of_another(tmp_path, run):
    voxels = make_bright((2, 3, 40, 50)).astype(np.uint16)
    about = {"axes": "TZYX", "unit": "um", "spacing": 2.0}
    tifffile.imwrite(tmp_path / "images/a.tif", voxels, imagej=True, resolution=(4, 4), metadata=about)
    assert run(make_spec(channels=3, neighbours=1, intensity=RANGE)) == 0
    padded = np.pad(voxels, ((0, 0), (1, 1), (0, 0), (0, 0)), mode="edge").astype(float)
    with tifffile.TiffFile(tmp_path / "out/mask/a.tif") as mask:
        assert mask.series[0].axes == "TZYX" and mask.imagej_metadata["spacing"] == pytest.approx(2)
        np.testing.assert_array_equal(mask.asarray(), padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:] > 1500)
