"""A header may name one file of voxels, beside it: no path, no link out of the folder, no list, no pipe."""

import os

import pytest

from segapp.errors import SegappError
from segapp.io.formats.detached_data import find_data_file


def find(folder, name):
    return find_data_file(folder / "a.mhd", name, "MetaImage", ".mha")


@pytest.mark.parametrize("name", ["a.raw", "a b (1,3).zraw", "größe.raw.gz", "..raw"])
def test_a_file_beside_the_header_is_found(tmp_path, name):
    (tmp_path / name).write_bytes(b"1")
    assert find(tmp_path, name) == tmp_path / name


@pytest.mark.parametrize(
    "name",
    ["sub/a.raw", "../a.raw", "/etc/passwd", "..", ".", "", "-", "-.raw", "LIST", "LOCAL", "a%03d.raw 1 3 1", "a.raw "],
)
def test_a_path_or_a_list_is_refused(tmp_path, name):
    with pytest.raises(SegappError, match=r"a\.mhd: MetaImage header .* one \.mha file\."):
        find(tmp_path, name)


@pytest.mark.parametrize("name", ["a\0.raw", "a\x1b.raw", "sub\\a.raw"])
def test_other_characters_are_refused_and_not_printed(tmp_path, name):
    with pytest.raises(SegappError, match=r"a\.mhd: MetaImage header .* one \.mha file\.") as error:
        find(tmp_path, name)
    assert str(error.value).isprintable()


def test_what_is_no_file_of_the_folder_is_refused(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    (tmp_path / "out.raw").write_bytes(b"1")
    (folder / "in.raw").write_bytes(b"1")
    (folder / "link.raw").symlink_to("../out.raw")
    (folder / "inner.raw").symlink_to("in.raw")
    (folder / "nowhere.raw").symlink_to("gone")
    os.mkfifo(folder / "pipe.raw")
    found = {"link": "a link out of the folder", "nowhere": "does not exist", "pipe": "a named pipe", "no": "no such"}
    for name, words in found.items():
        with pytest.raises(SegappError, match=rf"a\.mhd: .*{name}\.raw.*{words}"):
            find(folder, f"{name}.raw")
    assert find(folder, "inner.raw") == folder / "inner.raw"
