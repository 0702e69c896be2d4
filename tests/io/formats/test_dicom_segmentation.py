"""DICOM segmentations: written on the grid of a series, and read back among its slices."""

import highdicom
import numpy as np
import pydicom
import pytest
import SimpleITK
from highdicom.seg import segread

from segapp.errors import SegappError
from segapp.io import (
    FilePart,
    Image,
    explain_unlike_volumes,
    read_raw,
    write_mask,
)
from tests.io.dicoms import AXIAL, CORONAL, make_slice, save, write_series
from tests.io.segmentations import CLASSES, MASK, PALETTE, VOXELS, read_seg, write_seg
from tests.io.volumes import make_voxels, write_nifti


@pytest.mark.parametrize("axes", [AXIAL, CORONAL], ids=["axial", "coronal"])
def test_a_mask_is_voxel_exact_where_other_programs_open_it(tmp_path, axes):
    paths = write_series(tmp_path / "ct", VOXELS, (0.5, 0.75, 2.0), axes)
    path = write_seg(tmp_path / "a.dcm", paths[1], axis="coronal")
    np.testing.assert_array_equal(read_seg(path, paths[0]), MASK)
    found = segread(path)
    assert [found.get_segment_description(number).segment_label for number in (1, 2)] == ["liver", "spleen"]
    uids = [pydicom.dcmread(each).SOPInstanceUID for each in paths]
    pixels = found.get_pixels_by_source_instance(uids, combine_segments=True)
    planes = MASK.transpose(2, 1, 0) if axes == AXIAL else MASK[:, :, ::-1].transpose(1, 2, 0)
    np.testing.assert_array_equal(pixels, planes)
    image = SimpleITK.ReadImage([str(each) for each in paths])
    volume = found.get_volume(combine_segments=True)
    place = np.array(volume.map_reference_to_indices(np.array([image.TransformIndexToPhysicalPoint((6, 4, 3))])))
    assert np.allclose(place, np.rint(place), atol=1e-3)  # on the same grid
    assert found.PixelData == write_again(tmp_path, paths[0]).PixelData


def write_again(folder, image):
    return pydicom.dcmread(write_seg(folder / "b.dcm", image))


def test_one_image_and_frames_without_positions(tmp_path):
    mask = MASK[:, :, 0]
    bare = dict.fromkeys(("Modality", "SeriesInstanceUID", "StudyInstanceUID"))
    image = save(make_slice(VOXELS[:, :, 0], "a", **bare), tmp_path / "a.dcm")
    write_mask(tmp_path / "m.dcm", mask, PALETTE, Image(image).meta, CLASSES, 0)
    np.testing.assert_array_equal(read_raw(FilePart(tmp_path / "m.dcm", "", reference=image)), mask)
    frames = np.ascontiguousarray(VOXELS.transpose(2, 1, 0))
    several = save(make_slice(frames[0], "b", NumberOfFrames=4, PixelData=frames.tobytes()), tmp_path / "b.dcm")
    np.testing.assert_array_equal(read_seg(write_seg(tmp_path / "n.dcm", several), several), MASK)


def test_masks_on_another_grid_are_reported(tmp_path):
    paths = write_series(tmp_path / "ct", VOXELS)
    path = write_seg(tmp_path / "a.dcm", paths[0])
    smaller = write_series(tmp_path / "small", VOXELS[:5])
    shorter = write_series(tmp_path / "short", VOXELS[:, :, :3])
    wider = write_series(tmp_path / "wide", VOXELS, (1.0, 1.0, 3.0))
    for image, message in ((smaller, "5 x 7 pixels"), (shorter, "frame"), (wider, "frame")):
        found = explain_unlike_volumes(image[0], path)
        assert found is not None and message in found and str(path) in found and str(image[0]) in found
    nifti = write_nifti(tmp_path / "a.nii.gz", VOXELS)
    assert "7 x 5 x 4" in explain_unlike_volumes(nifti, write_seg(tmp_path / "b.dcm", shorter[0], MASK[:, :, :3]))


def make_other(folder, image, kind, array):
    """Write a segmentation that segapp does not write itself."""
    from pydicom.sr.codedict import codes

    describe = highdicom.seg.SegmentDescription
    segments = [
        describe(number, f"s{number}", codes.SCT.Tissue, codes.SCT.Tissue, "MANUAL")
        for number in range(1, 1 + (array.shape[3] if array.ndim == 4 else int(array.max() or 1)))
    ]
    found = pydicom.dcmread(image)
    for word in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID"):
        setattr(found, word, None)
    found.StudyDate = found.StudyTime = None
    made = highdicom.seg.Segmentation(
        [found], array, kind, segments, highdicom.UID(), 1, highdicom.UID(), 1, "a", "b", "c", "d",
    )  # fmt: skip
    made.save_as(folder / "other.dcm")
    return folder / "other.dcm"


def test_label_maps_are_read_and_other_kinds_refused(tmp_path):
    (image,) = write_series(tmp_path / "ct", VOXELS[:, :, :1])
    labels = MASK[:, :, 0].T
    np.testing.assert_array_equal(
        read_raw(FilePart(make_other(tmp_path, image, "LABELMAP", labels[None]), "", reference=image)), labels
    )
    path = make_other(tmp_path, image, "FRACTIONAL", (labels[None] == 1).astype(np.float32))
    with pytest.raises(SegappError, match="FRACTIONAL"):
        read_raw(path)
    both = np.stack([labels > 0, labels > 1], axis=-1)[None].astype(np.uint8)
    path = make_other(tmp_path, image, "BINARY", both)
    with pytest.raises(SegappError, match=r"1 's1' and 2 's2' overlap"):
        read_raw(path)


def test_slices_that_are_unevenly_apart_alone_are_placed_on_their_image(tmp_path):
    paths = write_series(tmp_path / "ct", make_voxels((7, 5, 7)))
    mask = np.zeros((7, 5, 7), np.uint8)
    mask[1, 1, [0, 2, 5]] = 1
    path = write_seg(tmp_path / "a.dcm", paths[0], mask)
    found = pydicom.dcmread(path)
    del found.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SliceThickness
    save(found, path)
    np.testing.assert_array_equal(read_seg(path, paths[0]), mask)
    with pytest.raises(SegappError, match="evenly"):
        read_raw(path)
