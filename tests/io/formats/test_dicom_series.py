"""Which DICOM files of a folder are one image."""

import numpy as np
import pydicom
import pytest

from segapp.io.formats.dicom_series import find_series_files, group_files
from tests.io.dicoms import make_slice, save, write_series

VOXELS = np.zeros((5, 4, 3), np.int16)


def group(folder):
    return [(each.path.name, each.label) for each in group_files(sorted(folder.iterdir()))]


def test_a_series_alone_is_called_as_its_folder(tmp_path):
    paths = write_series(tmp_path, VOXELS)
    assert group(tmp_path) == [("IMG1.dcm", "")]
    assert [path.name for path in find_series_files(paths[1])] == ["IMG1.dcm", "IMG2.dcm", "IMG3.dcm"]


def test_several_series_are_called_by_number_and_description(tmp_path):
    for number, (series, description) in enumerate([("a", "T1 / axial"), ("b", "T1 / axial"), ("c", None)]):
        words = {"SeriesDescription": description} if description else {}
        write_series(tmp_path, VOXELS, name=f"{series}{{}}.dcm", **words)
        for path in tmp_path.glob(f"{series}*.dcm"):
            found = pydicom.dcmread(path)
            found.SeriesInstanceUID, found.SeriesNumber = f"1.2.{number}", min(number, 1) + 4
            save(found, path)
    assert group(tmp_path) == [("a1.dcm", "4-T1-axial"), ("b1.dcm", "5-T1-axial"), ("c1.dcm", "5")]
    for path in tmp_path.iterdir():
        found = pydicom.dcmread(path)
        found.SeriesNumber = found.SeriesDescription = None
        save(found, path)
    assert group(tmp_path) == [("a1.dcm", "series"), ("b1.dcm", "series-2"), ("c1.dcm", "series-3")]


def test_files_without_a_position_and_broken_ones_are_images_of_their_own(tmp_path):
    for name in ("a", "b"):  # two views of one examination
        save(make_slice(VOXELS[:, :, 0], name), tmp_path / f"{name}.dcm")
    (tmp_path / "c.dcm").write_bytes(b"broken")
    (tmp_path / "d.dcm").symlink_to("nowhere")
    assert group(tmp_path) == [(f"{name}.dcm", None) for name in "abcd"]


@pytest.mark.parametrize("modality", ["SEG", "RTSTRUCT", "RTDOSE", "SR"])
def test_what_belongs_to_images_is_none(tmp_path, modality):
    write_series(tmp_path, VOXELS)
    save(make_slice(VOXELS[:, :, 0], "x", Modality=modality), tmp_path / "x.dcm")
    assert group(tmp_path) == [("IMG1.dcm", "")]


def test_a_slice_that_is_added_is_found(tmp_path):
    paths = write_series(tmp_path, VOXELS)
    kept = paths[2].read_bytes()
    paths[2].unlink()
    assert len(find_series_files(paths[0])) == 2
    paths[2].write_bytes(kept)
    assert len(find_series_files(paths[0])) == 3
