"""An image is addressed by its file and its part."""

import os
from pathlib import Path

import pytest

from segapp.errors import SegappError
from segapp.io import FilePart
from segapp.io.file_part import as_file_part, read_stamp


def test_an_address_is_a_key_and_names_itself():
    assert as_file_part(Path("a.png")) == FilePart(Path("a.png")) and str(FilePart(Path("a.png"))) == "a.png"
    part = FilePart(Path("ct.nii"), "z=3")
    assert as_file_part(part) is part and str(part) == "ct.nii [z=3]"
    assert {part: 1}[FilePart(Path("ct.nii"), "z=3")] == 1


def test_a_stamp_changes_with_any_of_the_files(tmp_path):
    files = [tmp_path / "a", tmp_path / "b"]
    for file in files:
        file.write_bytes(b"12")
        os.utime(file, ns=(5, 5))
    assert read_stamp(files) == (5, 4)
    os.utime(files[1], ns=(7, 7))
    assert read_stamp(files) == (7, 4)
    with pytest.raises(SegappError, match="a folder, not an image file"):
        read_stamp([tmp_path])
    with pytest.raises(SegappError, match="no such file"):
        read_stamp([*files, tmp_path / "c"])
