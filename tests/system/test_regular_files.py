"""Folders from elsewhere: no file of theirs leads out, waits for ever or has no end."""

import os

import pytest

from segapp.errors import MisuseError
from segapp.system.regular_files import read_regular, refuse_linked_folder, refuse_links_out


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "study" / "variants"
    made.mkdir(parents=True)
    (tmp_path / "precious.txt").write_text("precious")
    return made


@pytest.mark.parametrize("target", ["/dev/zero", "../../precious.txt", "../..", "/nowhere/at/all", "itself"])
def test_a_link_out_of_a_folder_is_refused(folder, target):
    (folder / "itself").symlink_to(target)
    with pytest.raises(MisuseError, match="itself"):
        refuse_links_out(folder.parent)


def test_a_pipe_in_a_folder_is_refused(folder):
    os.mkfifo(folder / "metrics.csv")
    with pytest.raises(MisuseError, match=r"metrics\.csv: a named pipe"):
        refuse_links_out(folder.parent)


def test_links_within_a_folder_are_harmless(folder):
    (folder / "run").mkdir()
    (folder / "latest").symlink_to("run")
    (folder / "gone").symlink_to("removed")
    refuse_links_out(folder.parent)
    refuse_links_out(folder / "none")


def test_no_more_than_so_many_bytes_are_read(folder):
    file = folder / "a"
    file.write_bytes(b"12345")
    assert read_regular(file, 5) == b"12345"
    os.truncate(file, 2**40)
    with pytest.raises(MisuseError, match="1,099,511,627,776 bytes"):
        read_regular(file, 5)
    with pytest.raises(MisuseError, match="a folder"):
        read_regular(folder, 5)


def test_a_folder_that_is_a_link_is_refused_unless_the_user_chose_it(tmp_path):
    for name in ("home/secret", "disk/unet/job"):
        (tmp_path / name).mkdir(parents=True)
    runs = tmp_path / "runs"
    runs.symlink_to("disk")  # where users keep their runs
    refuse_linked_folder(runs / "unet" / "job", runs)
    refuse_links_out(runs / "unet" / "job")
    (tmp_path / "disk/unet/latest").symlink_to("job")
    refuse_links_out(runs / "unet" / "latest")
    (tmp_path / "disk/study").symlink_to("../home")
    (tmp_path / "disk/unet/other").symlink_to(tmp_path / "home/secret")
    for folder in ("study", "study/secret", "unet/other"):
        with pytest.raises(MisuseError, match="a link to"):
            refuse_linked_folder(runs / folder, runs)
    with pytest.raises(MisuseError, match="a link to"):
        refuse_links_out(runs / "study")


def test_folders_in_one_another_are_walked_however_deep(tmp_path):
    deep = tmp_path
    for _ in range(1200):
        deep /= "x"
        deep.mkdir()
    pipe = deep / "pipe"
    os.mkfifo(pipe)
    try:
        with pytest.raises(MisuseError, match="pipe: a named pipe"):
            refuse_links_out(tmp_path)
    finally:  # what pytest removes folders with calls itself
        pipe.unlink()
        while deep != tmp_path:
            deep.rmdir()
            deep = deep.parent
