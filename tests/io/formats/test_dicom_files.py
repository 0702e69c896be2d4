"""DICOM files are read within bounds, and nothing beside them is."""

import os
import sys
import zlib

import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian

from segapp.errors import SegappError
from segapp.io import list_parts, read_raw
from segapp.io.formats.dicom_structures import read_structure_set
from tests.io.dicoms import make_slice, save, write_series
from tests.io.volumes import make_voxels

VOXELS = make_voxels()


def test_deflated_files_are_not_inflated(tmp_path):
    path = save(make_slice(VOXELS[:, :, 0], "a"), tmp_path / "a.dcm")
    found = pydicom.dcmread(path)
    found.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    save(found, path)
    content = path.read_bytes()
    path.write_bytes(content[:400] + zlib.compress(bytes(2**24)))
    with pytest.raises(SegappError, match="deflated"):
        list_parts(path)


@pytest.mark.parametrize("start", [132, 132 + 12])  # before the meta information, within it
def test_a_file_without_its_header_says_what_adds_it(tmp_path, start):
    path = save(make_slice(VOXELS[:, :, 0], "a"), tmp_path / "a.dcm")
    path.write_bytes(path.read_bytes()[start:])
    for read in (list_parts, read_structure_set):
        with pytest.raises(SegappError, match=r"a\.dcm: no DICOM file: .*`dcmconv IN OUT`"):
            read(path)


def test_a_missing_library_is_named_with_its_extra(tmp_path, monkeypatch):
    path = save(make_slice(VOXELS[:, :, 0], "a"), tmp_path / "a.dcm")
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(SegappError, match=r"a\.dcm.*pydicom.*segapp\[medical\]"):
        list_parts(path)


def test_many_small_elements_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr("segapp.io.formats.bounds.READS", 200)
    path = save(make_slice(VOXELS[:, :, 0], "a"), tmp_path / "a.dcm")
    found = pydicom.dcmread(path)
    for number in range(300):
        found.add_new(0x00190000 + 0x1000 + number, "LO", "")
    save(found, path)
    with pytest.raises(SegappError, match="small blocks"):
        list_parts(path)


def test_pipes_and_broken_links_beside_a_series_are_not_opened(tmp_path):
    paths = write_series(tmp_path, VOXELS)
    os.mkfifo(tmp_path / "IMG9.dcm")
    (tmp_path / "IMG8.dcm").symlink_to("nowhere")
    assert len(list_parts(paths[0])) == 3
    for name in ("IMG8.dcm", "IMG9.dcm"):
        with pytest.raises(SegappError, match=name):
            read_raw(tmp_path / name)
