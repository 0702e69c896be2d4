"""DICOM: a series is a volume, by the positions of its slices."""

import numpy as np
import pydicom
import pytest

from segapp.errors import SegappError
from segapp.io import FilePart, Image, list_parts, list_slices, read_header, read_raw
from segapp.io.formats.dicom import Dicom
from segapp.spec import Intensity
from tests.io.dicoms import AXIAL, CORONAL, make_slice, save, write_series
from tests.io.volumes import make_voxels

VOXELS = make_voxels()  # (5, 4, 3): 100 l + 10 p + s


def read_all(path, axis="axial"):
    return [read_raw(part) for part in list_slices(path, axis)]


@pytest.mark.parametrize("axes", [AXIAL, CORONAL], ids=["axial", "coronal"])
def test_slices_are_shown_in_one_orientation_by_their_positions(tmp_path, axes):
    paths = write_series(tmp_path / "ct", VOXELS, axes=axes)
    for path in paths:  # any file stands for the series
        for index, pixels in enumerate(read_all(path)):
            np.testing.assert_array_equal(pixels, VOXELS[:, :, index].T)
        for index, pixels in enumerate(read_all(path, "coronal")):
            np.testing.assert_array_equal(pixels, VOXELS[:, index, ::-1].T)
    header = read_header(FilePart(paths[0], "axial=1"))
    assert header.meta["pixel_size"] == (1000, 1000) and header.dtype == np.int16


def test_a_file_alone_is_one_image(tmp_path):
    (path,) = write_series(tmp_path, VOXELS[:, :, :1])
    assert list_parts(path) == (FilePart(path),)
    np.testing.assert_array_equal(read_raw(path), VOXELS[:, :, 0].T)


def test_values_are_scaled_by_slope_and_intercept(tmp_path):
    (path, *_) = write_series(tmp_path, VOXELS, RescaleSlope=2, RescaleIntercept=-1024)
    np.testing.assert_array_equal(read_all(path)[1], VOXELS[:, :, 1].T * 2.0 - 1024)
    image = Image(FilePart(path, "axial=1"), 1, Intensity("range", -1024, 0))
    np.testing.assert_allclose(image.read()[..., 0], np.clip(VOXELS[:, :, 1].T * 2 / 1024, 0, 1), atol=1e-6)


def test_every_slice_may_have_a_scale_of_its_own(tmp_path):
    paths = write_series(tmp_path, VOXELS)
    for index, path in enumerate(paths):
        found = pydicom.dcmread(path)
        found.RescaleSlope, found.RescaleIntercept = index + 1, 0.5
        save(found, path)
    for index, pixels in enumerate(read_all(paths[0])):
        assert pixels.dtype == np.float32
        np.testing.assert_array_equal(pixels, VOXELS[:, :, index].T * (index + 1) + 0.5)


def test_frames_of_one_file_are_a_volume(tmp_path):
    frames = np.ascontiguousarray(VOXELS.transpose(2, 1, 0))
    found = make_slice(frames[0], "a", NumberOfFrames=3, PixelData=frames.tobytes())
    path = save(found, tmp_path / "a.dcm")
    assert [part.part for part in list_parts(path)] == ["axial=0", "axial=1", "axial=2"]
    np.testing.assert_array_equal(np.stack(read_all(path)), frames)
    assert "pixel_size" not in read_header(list_parts(path)[0]).meta


def test_frames_with_positions_are_in_their_order(tmp_path):
    frames = np.ascontiguousarray(VOXELS.transpose(2, 1, 0)[::-1])  # from head to feet
    found = make_slice(frames[0], "a", NumberOfFrames=3, PixelData=frames.tobytes())
    shared, measures, plane = pydicom.Dataset(), pydicom.Dataset(), pydicom.Dataset()
    measures.PixelSpacing, plane.ImageOrientationPatient = [1.5, 2.5], list(AXIAL)
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [plane]
    found.SharedFunctionalGroupsSequence = [shared]
    groups = []
    for height in (4.0, 2.0, 0.0):
        group, place = pydicom.Dataset(), pydicom.Dataset()
        place.ImagePositionPatient = [0, 0, height]
        group.PlanePositionSequence = [place]
        groups.append(group)
    found.PerFrameFunctionalGroupsSequence = groups
    path = save(found, tmp_path / "a.dcm")
    np.testing.assert_array_equal(np.stack(read_all(path)), frames[::-1])
    grid = read_header(FilePart(path, "axial=0")).meta["volume"].grid
    np.testing.assert_allclose(grid.affine, np.diag([2.5, 1.5, 2, 1]))


def test_a_series_is_decoded_once(tmp_path, monkeypatch):
    decoded, decode = [], Dicom.decode
    monkeypatch.setattr(Dicom, "decode", lambda self, path, found: decoded.append(path) or decode(self, path, found))
    paths = write_series(tmp_path, VOXELS)
    read_all(paths[1]), read_all(paths[1], "sagittal")
    assert decoded == [paths[1]]
    found = pydicom.dcmread(paths[2])  # a change of any file is noticed
    found.PixelData = bytes(len(found.PixelData))
    save(found, paths[2])
    assert not read_all(paths[1])[2].any()


def test_a_preamble_of_tiff_does_not_make_a_tiff(tmp_path):
    path = save(make_slice(VOXELS[:, :, 0], "a"), tmp_path / "a.dcm")
    content = path.read_bytes()
    for name in ("b.dcm", "IM_0002"):
        (tmp_path / name).write_bytes(b"II*\0\x08\0\0\0" + content[8:])
        np.testing.assert_array_equal(read_raw(tmp_path / name), VOXELS[:, :, 0])


def rewrite(**elements):
    return lambda path: save(_set(pydicom.dcmread(path), elements), path)


def _set(found, elements):
    for word, value in elements.items():
        setattr(found, word, value)
    return found


def cut(end):
    return lambda path: path.write_bytes(path.read_bytes()[:end])


BROKEN = {
    "half": (cut(-10), "truncated"),
    "header": (cut(200), "DICOM"),
    "word": (cut(130), "DICM|starting"),
    "empty": (cut(0), "empty"),
    "rows": (rewrite(Rows=60000, Columns=60000), "cannot hold"),
    "frames": (rewrite(NumberOfFrames=2_000_000_000), "frames"),
    "no-rows": (rewrite(Rows=0), "0 x"),
    "bits": (rewrite(BitsAllocated=12), "bits"),
    "used-bits": (rewrite(BitsStored=99), "bits"),
    "colours": (rewrite(PhotometricInterpretation="CMYK"), "CMYK"),
    "samples": (rewrite(SamplesPerPixel=3), "3 values"),
    "palette": (rewrite(PhotometricInterpretation="PALETTE COLOR"), "palette"),
    "no-image": (lambda path: save(_delete(pydicom.dcmread(path), "Rows"), path), "without an image"),
    "tiles": (rewrite(TotalPixelMatrixRows=9000, TotalPixelMatrixColumns=9000), "tiles"),
    "text": (lambda path: path.write_text("no image " * 100), "starting"),
}


def _delete(found, word):
    delattr(found, word)
    return found


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_read_is_reported_in_one_sentence(tmp_path, name):
    change, found = BROKEN[name]
    path = save(make_slice(VOXELS[:, :, 0].astype(np.uint16), "a"), tmp_path / "a b%s.dcm")
    change(path)
    with pytest.raises(SegappError, match=found) as error:
        read_raw(list_parts(path)[0])
    assert str(path) in str(error.value) and "\n" not in str(error.value)
