"""What a written DICOM segmentation holds."""

import numpy as np
import pydicom
import pytest

from segapp.errors import SegappError
from segapp.io import FilePart, Image, explain_unlike_volumes, read_mask_window, read_raw, write_mask
from tests.io.dicoms import make_slice, save, write_series
from tests.io.segmentations import CLASSES, MASK, PALETTE, VOXELS, read_seg, write_seg


def test_slices_without_a_segment_are_left_out_and_read_as_background(tmp_path):
    paths = write_series(tmp_path / "ct", VOXELS)
    mask = np.zeros_like(MASK)
    mask[2:4, 1:3, 2] = 2
    path = write_seg(tmp_path / "a.dcm", paths[0], mask)
    assert int(pydicom.dcmread(path).NumberOfFrames) == 1
    np.testing.assert_array_equal(read_seg(path, paths[0]), mask)
    assert explain_unlike_volumes(paths[0], path) is None
    np.testing.assert_array_equal(read_raw(path), mask[:, :, 2].T)  # alone it is the slice that it holds
    np.testing.assert_array_equal(
        read_seg(write_seg(tmp_path / "b.dcm", paths[0], mask * 0), paths[0]), np.zeros_like(mask)
    )


def test_every_class_is_a_segment_where_none_is_background(tmp_path):
    paths = write_series(tmp_path / "ct", VOXELS)
    path = write_seg(tmp_path / "a.dcm", paths[0], background=None)
    pixels = read_mask_window(FilePart(path, "axial=0", reference=paths[0]), 0, 0, 5, 7)
    assert pixels.names == {1: "background", 2: "liver", 3: "spleen"}
    np.testing.assert_array_equal(pixels.values[..., 0], MASK[:, :, 0].T + 1)


def test_what_is_no_class_is_not_written(tmp_path):
    image = save(make_slice(VOXELS[:, :, 0], "a"), tmp_path / "a.dcm")
    meta = Image(image).meta
    for values, palette in ((MASK[:, :, 0] + 250, None), (MASK[:, :, 0], None)):
        with pytest.raises(SegappError, match=r"grey values.*png"):
            write_mask(tmp_path / "m.dcm", values, palette, meta)
    with pytest.raises(SegappError, match="255"):
        write_mask(tmp_path / "m.dcm", np.full((7, 5), 255, np.uint8), PALETTE, meta, CLASSES, 0)
    with pytest.raises(SegappError, match="DICOM"):
        write_mask(tmp_path / "m.dcm", MASK[:, :, 0], PALETTE, {}, CLASSES, 0)
    assert not (tmp_path / "m.dcm").exists()


def test_what_is_not_to_the_standard_in_the_image_is_left_out(tmp_path):
    words = {"SpecificCharacterSet": "ISO_IR 100", "PatientName": "M\xfcller^A", "PatientSex": "O", "StudyTime": "1030"}
    paths = write_series(tmp_path / "a", VOXELS, **words)
    path = write_seg(tmp_path / "a.dcm", paths[0], classes=("background", "Le\u0301ber \u2013 \xe4", "spleen"))
    found = pydicom.dcmread(path)
    assert (str(found.PatientName), found.PatientSex, found.StudyTime) == ("M\xfcller^A", "O", "1030")
    assert found.SegmentSequence[0].SegmentLabel == "Le\u0301ber \u2013 \xe4"
    np.testing.assert_array_equal(read_seg(path, paths[0]), MASK)
    for each in paths:
        bad = pydicom.dcmread(each)
        bad.StudyInstanceUID = f"1.2.{each.stem[-1]}"
        with pydicom.config.disable_value_validation():
            bad.SpecificCharacterSet, bad.PatientSex, bad.StudyTime, bad.StudyID = "", "X", "noon", "9" * 40
            save(bad, each)
    found = pydicom.dcmread(write_seg(tmp_path / "b.dcm", paths[0]))
    assert not found.PatientSex and not found.StudyTime and not found.StudyID
