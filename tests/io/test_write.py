"""A file is written completely or not at all."""

from pathlib import Path

import numpy as np
import pytest

from segapp.errors import SegappError
from segapp.io import shorten_name, write_atomically, write_folder_atomically, write_mask

PALETTE = ((0, 0, 0), (255, 0, 0), (0, 0, 255))


INDICES = np.random.default_rng(0).integers(0, 3, (37, 50), np.uint8)


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(143)])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(type(error)), write_atomically(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        raise error
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_the_temporary_name_is_beside_hidden_and_keeps_the_suffix(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_text("old")
    with write_atomically(tmp_path / "a.npz") as temporary:
        assert (temporary.parent, temporary.suffix, temporary.name[0]) == (tmp_path, ".npz", ".")
        temporary.write_text("new")
        assert (tmp_path / "a.npz").read_text() == "old"
    assert (tmp_path / "a.npz").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_a_place_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SegappError, match="the folder cannot be created"):
        write_mask(tmp_path / "file" / "a.png", INDICES, PALETTE)
    (tmp_path / "b.png").mkdir()
    with pytest.raises(SegappError, match=r"b\.png: cannot be written"):
        write_mask(tmp_path / "b.png", INDICES, PALETTE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.png", "file"]


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path):
    (tmp_path / "a.json").mkdir()
    with pytest.raises(SegappError, match=r"a\.json: .*folder"), write_atomically(tmp_path / "a.json") as temporary:
        temporary.write_text("x")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_long_name_is_cut_and_stays_different_from_others():
    assert shorten_name("a" * 150) == "a" * 150
    names = {shorten_name("ä" * 200 + end) for end in "xyz"}
    assert len(names) == 3 and all(len(name.encode()) < 150 for name in names)


def test_a_folder_replaces_another_only_when_it_is_complete(tmp_path):
    path = tmp_path / "a.zarr"
    for content in ("old", "new"):
        with write_folder_atomically(path, overwrite=True) as folder:
            (folder / content).touch()
            assert not (path / content).exists()
    assert [file.name for file in path.iterdir()] == ["new"] and list(tmp_path.iterdir()) == [path]
    with pytest.raises(ValueError), write_folder_atomically(path, overwrite=True):
        raise ValueError
    assert [file.name for file in path.iterdir()] == ["new"] and list(tmp_path.iterdir()) == [path]
    path.rename(tmp_path / "moved")
    path.symlink_to("moved")
    with write_folder_atomically(path, overwrite=True) as folder:
        (folder / "own").touch()
    assert not path.is_symlink() and (tmp_path / "moved" / "new").exists()


def test_a_folder_that_cannot_be_replaced_is_put_back(tmp_path, monkeypatch):
    path, rename = tmp_path / "store", Path.rename
    path.mkdir()
    (path / "old").touch()

    def refuse(source, target):
        if target == path and not (source / "old").exists():
            raise OSError("refused")
        return rename(source, target)

    with pytest.raises(OSError, match="refused"), write_folder_atomically(path, overwrite=True) as folder:
        monkeypatch.setattr(Path, "rename", refuse)
        (folder / "new").touch()
    assert [entry.name for entry in tmp_path.iterdir()] == ["store"] and (path / "old").exists()


def test_ctrl_c_after_a_folder_was_replaced_ends_as_such(tmp_path, monkeypatch):
    """It became the error of putting the former folder back, whose copy stayed."""
    path, rename = tmp_path / "store", Path.rename
    path.mkdir()
    (path / "old").touch()

    def rename_interrupted(source, target):
        rename(source, target)
        if (target / "new").exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), write_folder_atomically(path, overwrite=True) as folder:
        (folder / "new").touch()
        monkeypatch.setattr(Path, "rename", rename_interrupted)
    assert [entry.name for entry in tmp_path.iterdir()] == ["store"]
    assert [entry.name for entry in path.iterdir()] == ["new"]


@pytest.mark.parametrize("renames", [0, 1])
def test_a_folder_is_never_lost_where_it_can_neither_be_replaced_nor_put_back(tmp_path, monkeypatch, renames):
    path, rename, left = tmp_path / "store", Path.rename, [None] * renames
    path.mkdir()
    (path / "old").touch()

    def refuse(source, target):
        if not left:
            raise OSError("refused")
        left.pop()
        return rename(source, target)

    with pytest.raises(OSError, match="refused"), write_folder_atomically(path, overwrite=True):
        monkeypatch.setattr(Path, "rename", refuse)
    assert len(list(tmp_path.rglob("old"))) == 1
    assert path.exists() == (renames == 0)


def test_a_folder_that_another_process_makes_meanwhile_costs_none_of_the_former(tmp_path, monkeypatch):
    path = tmp_path / "out"
    path.mkdir()
    (path / "mine").write_text("kept")
    rename = Path.rename

    def rename_late(self, target):
        if Path(target) == path and not path.exists():
            path.mkdir()
            (path / "theirs").write_text("")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", rename_late)
    with pytest.raises((OSError, SegappError)), write_folder_atomically(path, overwrite=True) as folder:
        (folder / "new").write_text("")
    assert [file.read_text() for file in tmp_path.rglob("mine")] == ["kept"]
