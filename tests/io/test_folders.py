"""Folders are walked in order, links followed, each folder once."""

import os
from pathlib import Path

from segapp.io import is_image_folder, lies_in_image, real_path, walk_folders


def test_every_folder_is_entered_once_whatever_links_there_are(tmp_path):
    root = tmp_path / "images"
    for folder in ("b", "a", ".hidden"):
        (root / folder).mkdir(parents=True)
        (root / folder / "1.png").touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "2.png").touch()
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    (root / "again").symlink_to(root / "b")
    (root / "a" / "up").symlink_to(root)
    (root / "beside").symlink_to(tmp_path)
    found = [(folder.relative_to(root).as_posix(), names) for folder, names in walk_folders(root)]
    assert found == [(".", []), ("a", ["1.png"]), ("again", ["1.png"]), ("linked", ["2.png"])]


def test_links_that_lead_nowhere_are_among_the_names(tmp_path):
    (tmp_path / "a.png").symlink_to("nowhere.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    assert list(walk_folders(tmp_path)) == [(tmp_path, ["a.png", "loop.png"])]
    assert real_path(tmp_path / "loop.png").name == "loop.png"


def test_a_deep_tree_takes_no_more_than_its_number_of_folders(tmp_path, monkeypatch):
    """Each folder's path without links was looked up from the root: of 900 levels that took half a minute."""
    place = tmp_path
    for _ in range(100):
        place = place / "d"
        place.mkdir()
    asked = []
    found = os.path.realpath
    monkeypatch.setattr(os.path, "realpath", lambda path: asked.append(path) or found(path))
    assert sum(1 for _ in walk_folders(tmp_path)) == 101
    assert len(asked) == 1


def test_folders_that_are_images_are_among_the_names_and_not_entered(tmp_path):
    (tmp_path / "a.zarr" / "0" / "b.png").mkdir(parents=True)
    (tmp_path / "b" / "c.OME.zarr" / "labels").mkdir(parents=True)
    (tmp_path / ".zarr").mkdir()
    (tmp_path / "b" / "d.png").touch()
    assert list(walk_folders(tmp_path)) == [(tmp_path, ["a.zarr"]), (tmp_path / "b", ["c.OME.zarr", "d.png"])]
    assert is_image_folder(tmp_path / "a.zarr") and not is_image_folder(tmp_path / "b" / "d.png")
    assert lies_in_image(Path("b/c.zarr/0/1")) and not lies_in_image(Path("b/c.zarr"))
