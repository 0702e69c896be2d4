"""A DICOM series becomes one segmentation; a single image too."""

import numpy as np
import pydicom
from highdicom.seg import segread

from segapp.commands.predict import predict
from segapp.spec import Intensity
from tests.inference.checkpoints import make_spec, write_checkpoint
from tests.io.dicoms import write_series
from tests.prediction.predicting import ALLOWED, files, table

RANGE = Intensity("range", 0, 1000)


def run(tmp_path, **options):
    checkpoint = write_checkpoint(tmp_path / "best.ckpt", make_spec(channels=1, intensity=RANGE))
    settings = {"ckpt_path": str(checkpoint), "images": str(tmp_path / "images"), "output": str(tmp_path / "out")}
    return predict(**(settings | {"device": "cpu", "allow": ALLOWED} | options))


def test_series_become_segmentations_of_their_folders_names(tmp_path):
    voxels = np.where(np.random.default_rng(0).random((50, 40, 3)) > 0.7, 900, 100).astype(np.int16)
    paths = write_series(tmp_path / "images" / "p1", voxels, (1.0, 1.0, 3.0), name="IM{}")
    write_series(tmp_path / "images" / "p2", voxels[:, :, :1])
    assert run(tmp_path) == 0
    assert files(tmp_path / "out") == ["mask/p1.dcm", "mask/p2/IMG1.dcm"]
    found = segread(tmp_path / "out" / "mask" / "p1.dcm")
    uids = [pydicom.dcmread(path).SOPInstanceUID for path in paths]
    pixels = found.get_pixels_by_source_instance(uids, combine_segments=True)
    np.testing.assert_array_equal(pixels.transpose(2, 1, 0), voxels == 900)
    assert found.get_segment_description(1).segment_label == "cell"
    row = table(tmp_path / "out")[0]
    assert row["image"] == "p1/IM1" and int(row["cell/pixels"]) == (voxels == 900).sum()
    single = segread(tmp_path / "out" / "mask" / "p2" / "IMG1.dcm")
    np.testing.assert_array_equal(single.get_volume(combine_segments=True).array[0].T, voxels[:, :, 0] == 900)


def test_uncertainty_of_one_image_is_a_grey_image(tmp_path):
    write_series(tmp_path / "images", np.full((50, 40, 1), 900, np.int16))
    assert run(tmp_path, save=["mask", "uncertainty"]) == 0
    assert files(tmp_path / "out") == ["mask/IMG1.dcm", "uncertainty/IMG1.png"]


def test_a_series_of_which_a_slice_changed_is_predicted_again(tmp_path):
    paths = write_series(tmp_path / "images" / "p1", np.full((50, 40, 3), 900, np.int16))
    assert run(tmp_path) == 0
    found = pydicom.dcmread(paths[0])  # not the file that stands for the series
    found.PixelData = bytes(len(found.PixelData))
    found.save_as(paths[0])
    assert run(tmp_path, overwrite=True) == 0
    assert int(table(tmp_path / "out")[0]["background/pixels"]) == 50 * 40
