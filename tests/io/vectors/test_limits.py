"""The size of vector files."""

import os

import pytest

from segapp.errors import MisuseError
from segapp.io.vectors import limits
from segapp.io.vectors.limits import read_start


def test_the_first_bytes_and_the_size(tmp_path):
    (tmp_path / "a.shp").write_bytes(b"abcdef")
    assert read_start(tmp_path / "a.shp", 3) == (b"abc", 6)


def test_other_files_are_refused_by_name(tmp_path, monkeypatch):
    (tmp_path / "a.shp").write_bytes(b"abcdef")
    (tmp_path / "link.shp").symlink_to("gone.shp")
    os.mkfifo(tmp_path / "pipe.shp")
    for name, found in (
        ("b.shp", "no such file"),
        ("pipe.shp", "pipe"),
        ("link.shp", r"gone\.shp"),
        ("a.shp", "cut off"),
    ):
        with pytest.raises(MisuseError, match=rf"{name}: .*{found}"):
            read_start(tmp_path / name, 7)
    monkeypatch.setattr(limits, "MAX_BYTES", 5)
    with pytest.raises(MisuseError, match=r"a\.shp: 6 bytes, and 5 at most"):
        read_start(tmp_path / "a.shp", 3)
