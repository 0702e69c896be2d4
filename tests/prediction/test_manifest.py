"""A manifest survives crashes, and several processes' parts are one."""

import os
from contextlib import suppress
from dataclasses import replace

import pytest

from segapp.errors import MisuseError, SegappError
from segapp.prediction.manifest import Manifest, Row, make_row
from tests.prediction.conftest import written


def test_what_is_done_is_known_afterwards(task, tmp_path):
    begun = make_row(task, tmp_path / "out", "m")
    Manifest(tmp_path / "out").add(begun)
    written(task)
    assert not Manifest(tmp_path / "out").is_done(begun, task)
    Manifest(tmp_path / "out").add(replace(begun, status="done", pixels="3 4", confidence=0.25, unit="mm²"))
    known = Manifest(tmp_path / "out")
    assert known.is_done(begun, task)
    assert (known.rows["a.png"].counts, known.rows["a.png"].confidence) == ([3, 4], 0.25)
    assert not known.is_done(replace(begun, mtime_ns=1), task)
    assert not known.is_done(replace(begun, model="other"), task)
    task.outputs["mask"].unlink()
    assert not known.is_done(begun, task)


@pytest.mark.parametrize(
    "name", ["ä b.png", "two\nlines.png", "re\rturn.png", "back\\nslash.png", 'quo"te,comma.png', "not\udcffutf8.png"]
)
def test_any_file_name_comes_back(tmp_path, name):
    Manifest(tmp_path).add(Row(name, 1, 2, "m", "done"))
    assert list(Manifest(tmp_path).rows) == [name]


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_torn_last_row_is_forgotten_and_later_ones_are_not(tmp_path, cut):
    manifest = Manifest(tmp_path)
    for name in ("a.png", "b.png"):
        manifest.add(Row(name, 1, 2, "m", "done"))
    content = manifest.path.read_bytes()
    manifest.path.write_bytes(content[:-cut])
    again = Manifest(tmp_path)
    assert "a.png" in again.rows
    again.add(Row("c.png", 1, 2, "m", "done"))
    assert {"a.png", "c.png"} <= set(Manifest(tmp_path).rows)
    assert all(row.status == "done" for row in Manifest(tmp_path).rows.values())


def test_parts_are_read_together_and_the_latest_row_counts(tmp_path):
    Manifest(tmp_path, 1, 2).add(Row("a.png", 1, 2, "first", "done"))
    Manifest(tmp_path).add(Row("a.png", 1, 2, "second", "done"))
    assert Manifest(tmp_path, 0, 2).rows["a.png"].model == "second"
    Manifest(tmp_path, 1, 2).add(Row("a.png", 1, 2, "third", "begun"))
    assert Manifest(tmp_path).rows["a.png"].model == "third"


@pytest.mark.parametrize("cut", [1, 7, 1000])
def test_a_header_that_a_crash_tore_is_written_anew(tmp_path, cut):
    manifest = Manifest(tmp_path)
    manifest.begin()
    manifest.path.write_bytes(manifest.path.read_bytes()[:-cut])
    (tmp_path / "manifest_train.csv").write_text("somebody's own table")
    Manifest(tmp_path).add(Row("a.png", 1, 2, "m", "done"))
    assert list(Manifest(tmp_path).rows) == ["a.png"]


def test_a_foreign_manifest_is_refused_and_stays(tmp_path):
    (tmp_path / "manifest.csv").write_text("ship,port\nA,B\n")
    with pytest.raises(MisuseError, match="not a manifest of"):
        Manifest(tmp_path)
    assert (tmp_path / "manifest.csv").read_text() == "ship,port\nA,B\n"


def test_a_row_torn_in_a_quoted_sentence_spoils_no_later_one(tmp_path):
    manifest = Manifest(tmp_path)
    manifest.add(Row("a.png", 1, 2, "m", "done"))
    manifest.add(Row("b.png", 1, 2, "m", "failed", problem='cannot be "written", the disk is full'))
    content = manifest.path.read_bytes()
    manifest.path.write_bytes(content[: content.index(b"the disk")])
    again = Manifest(tmp_path)
    for name in ("c.png", "d.png"):
        again.add(Row(name, 1, 2, "m", "done"))
    assert list(Manifest(tmp_path).rows) == ["a.png", "c.png", "d.png"]


def test_a_manifest_that_cannot_be_written_is_one_sentence(tmp_path):
    manifest = Manifest(tmp_path / "out")
    (tmp_path / "out").write_text("a file")
    with pytest.raises(SegappError, match=r"manifest\.csv: cannot be written"):
        manifest.add(Row("a.png", 1, 2, "m", "begun"))


def test_a_manifest_is_no_link_and_no_pipe(tmp_path):
    """Through a link segapp would write another file; for a pipe it would wait."""
    (tmp_path / "manifest.csv").symlink_to(tmp_path.parent / "elsewhere.csv")
    with pytest.raises(MisuseError, match="a link"):
        Manifest(tmp_path)
    (tmp_path / "manifest.csv").unlink()
    os.mkfifo(tmp_path / "manifest-0-of-2.csv")
    with pytest.raises(MisuseError, match="named pipe"):
        Manifest(tmp_path)


@pytest.mark.parametrize("change", [{"pixels": "1 x"}, {"pixels": "-1"}, {"areas": "nan x"}], ids=str)
def test_a_row_whose_numbers_are_none_is_as_one_that_was_torn(task, tmp_path, change):
    row = make_row(task, tmp_path / "out", "m")
    Manifest(tmp_path / "out").add(row)
    Manifest(tmp_path / "out").add(replace(row, image="b.png", **change))
    assert list(Manifest(tmp_path / "out").rows) == ["a.png"]


@pytest.mark.parametrize("begin", [b"", b"image,size\n", None], ids=["zeros", "other header", "manifest"])
def test_a_manifest_without_ends_of_line_is_not_read_into_memory(task, tmp_path, begin):
    """A sparse file costs nothing on the disk and would fill the memory."""
    if begin is None:
        Manifest(tmp_path).add(make_row(task, tmp_path, "m"))
    else:
        (tmp_path / "manifest.csv").write_bytes(begin)
    os.truncate(tmp_path / "manifest.csv", 2**40)
    with pytest.raises(MisuseError, match=r"manifest\.csv"):
        Manifest(tmp_path)


def test_a_folder_whose_name_no_file_can_have_does_not_exist(task, tmp_path):
    begun = make_row(task, tmp_path / "out", "m")
    Manifest(tmp_path / "out").add(replace(begun, folder="a" * 300))
    known = Manifest(tmp_path / "out")
    assert known.is_ours(replace(begun, folder="."))


@pytest.mark.parametrize("stem", ["a\0b", "a\ud800b", "x/" * 1500 + "x", "../x", "/x", "x" * 300], ids=range(6))
def test_a_row_of_files_that_cannot_be_is_as_one_that_was_torn(task, tmp_path, stem):
    row = make_row(task, tmp_path / "out", "m")
    Manifest(tmp_path / "out").add(row)
    with suppress(SegappError, ValueError):  # the last letters cannot even be written
        Manifest(tmp_path / "out").add(replace(row, image="b.png", stem=stem))
    assert list(Manifest(tmp_path / "out").rows) == ["a.png"]


def test_a_link_is_no_file_that_is_done(task, tmp_path):
    """It could lead to a file of the user's, whose content would come into a table."""
    written(task)
    row = replace(make_row(task, tmp_path / "out", "m"), status="done")
    Manifest(tmp_path / "out").add(row)
    assert Manifest(tmp_path / "out").is_done(row, task)
    path = next(iter(task.outputs.values()))
    path.rename(tmp_path / "secret")
    path.symlink_to(tmp_path / "secret")
    assert not Manifest(tmp_path / "out").is_done(row, task)
