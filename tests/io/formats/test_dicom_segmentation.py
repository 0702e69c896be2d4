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
    MaskLayout,
    explain_unlike_volumes,
    list_slices,
    open_mask,
    read_header,
    read_mask_window,
    read_raw,
    write_mask,
)
from tests.io.dicoms import AXIAL, CORONAL, make_slice, save, write_series
from tests.io.volumes import make_voxels, write_nifti

VOXELS = make_voxels((7, 5, 4))
CLASSES = ("background", "liver", "spleen")
PALETTE = ((0, 0, 0), (255, 0, 0), (0, 0, 255))
MASK = np.random.default_rng(0).integers(0, 3, VOXELS.shape).astype(np.uint8)


def write_seg(path, image, mask=MASK, axis="axial", classes=CLASSES, background=0):
    """Write a mask (L, P, S), slice by slice as `predict` does."""
    parts = list_slices(image, axis)
    layout = MaskLayout(
        {part.part: read_header(part).upright for part in parts}, Image(parts[0]).meta, PALETTE, classes, background
    )
    planes = mask.transpose(2, 1, 0) if axis == "axial" else mask[:, :, ::-1].transpose(1, 2, 0)
    with open_mask(path, layout) as writer:
        for part, plane in zip(parts, planes, strict=True):
            writer.add(plane, part.part)
    return path


def read_seg(path, image):
    return np.stack([read_raw(FilePart(path, part.part, reference=image)) for part in list_slices(image, "axial")]).T


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


def test_one_image_and_frames_without_positions(tmp_path):
    mask = MASK[:, :, 0]
    bare = dict.fromkeys(("Modality", "SeriesInstanceUID", "StudyInstanceUID"))
    image = save(make_slice(VOXELS[:, :, 0], "a", **bare), tmp_path / "a.dcm")
    write_mask(tmp_path / "m.dcm", mask, PALETTE, Image(image).meta, CLASSES, 0)
    np.testing.assert_array_equal(read_raw(FilePart(tmp_path / "m.dcm", "", reference=image)), mask)
    frames = np.ascontiguousarray(VOXELS.transpose(2, 1, 0))
    several = save(make_slice(frames[0], "b", NumberOfFrames=4, PixelData=frames.tobytes()), tmp_path / "b.dcm")
    np.testing.assert_array_equal(read_seg(write_seg(tmp_path / "n.dcm", several), several), MASK)


def test_every_class_is_a_segment_where_none_is_background(tmp_path):
    paths = write_series(tmp_path / "ct", VOXELS)
    path = write_seg(tmp_path / "a.dcm", paths[0], background=None)
    pixels = read_mask_window(FilePart(path, "axial=0", reference=paths[0]), 0, 0, 5, 7)
    assert pixels.names == {1: "background", 2: "liver", 3: "spleen"}
    np.testing.assert_array_equal(pixels.values[..., 0], MASK[:, :, 0].T + 1)


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
