"""Files of a store: regular ones inside it, through no link."""

import os

import pytest

from segapp.errors import SegappError
from segapp.io.formats.zarr_files import open_inner, read_inner_stamp, read_json, require_inner_path


def test_paths_lead_into_the_store(tmp_path):
    assert require_inner_path(tmp_path, "scale0/image") == "scale0/image"
    for name in ("", ".", "/0", "a/../0", "..", "a\\b", "a\0b", None, 3, ["0"], "0" * 2000):
        with pytest.raises(SegappError, match="no path inside it"):
            require_inner_path(tmp_path, name)


def test_files_are_bounded_and_regular(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    with open_inner(tmp_path, "a", 5) as file:
        assert file.read() == b"12345"
    for name in ("b", "a/b", "b/c"):
        with open_inner(tmp_path, name, 5) as file:
            assert file is None and read_inner_stamp(tmp_path, name) is None
    with pytest.raises(SegappError, match=r"5 bytes, where .* at most 4"), open_inner(tmp_path, "a", 4):
        pass
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name, kind in (("pipe", "pipe"), ("folder", "a folder")):
        with pytest.raises(SegappError, match=kind), open_inner(tmp_path, name, 4):
            pass


def test_links_are_refused_also_above_a_file(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a").write_bytes(b"{}")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "real" / "b").symlink_to("a")
    for name in ("link/a", "real/b"):
        with pytest.raises(SegappError, match=r"(link|b): a link to"):
            read_json(tmp_path, name)
    assert read_json(tmp_path, "real/a") == {}
    assert read_json(tmp_path / "link", "a") == {}  # the store itself may be linked


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 10**5, b"1" * 5000])
def test_metadata_is_an_object_of_json(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(SegappError, match=r"/a: metadata of an OME-Zarr that is no JSON"):
        read_json(tmp_path, "a")
