"""Splits that text files name."""

import os
from pathlib import Path

import pytest

from segapp.datasets import Lists
from segapp.datasets.splits import Candidate
from segapp.errors import MisuseError


@pytest.mark.parametrize(
    "line",
    ["b", "b.png", "day/b", "/SegNet/CamVid/day/b.png /SegNet/CamVid/masks/b.png", r"C:\x\day\b.png"],
)
def test_lists_understand_what_people_write(tmp_path: Path, line: str) -> None:
    (tmp_path / "train.txt").write_text("# mine\n\na\n")
    (tmp_path / "val.txt").write_text(f"{line}\r\n")
    given = [Candidate(n, n, tmp_path / "day" / f"{n}.png", None) for n in "abc"]
    parts = Lists("train.txt", "val.txt").divide(given, tmp_path)
    assert [[c.name for c in parts[split]] for split in ("train", "val")] == [["a"], ["b"]]


def test_lists_take_names_with_spaces(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("/far/away/my image 1.png")
    (tmp_path / "v").write_text("my image 2")
    given = [Candidate(n, n, tmp_path / f"{n}.png", None) for n in ("my image 1", "my image 2")]
    assert [c.name for c in Lists("t", "v").divide(given, tmp_path)["train"]] == ["my image 1"]


@pytest.mark.parametrize(
    ("train", "val", "sentence"),
    [
        ("a", "zzz", "'zzz'"),
        ("a\nb", "b", "is in train and in val"),
        ("same", "b", "may mean x/same, y/same"),
        ("a\nx/same\nx/same.png", "b", r"'x/same' and 'x/same\.png' .*image"),
        ("a\nx/same\nz/b", "y/same", "'z/b' .*'z'.*'a'"),
        ("a", "/f/b\n/g/y/same", r"'/g/y/same' .*'/g'.*'/f/b' .*'/f'"),
    ],
)
def test_lists_refuse(tmp_path: Path, train: str, val: str, sentence: str) -> None:
    (tmp_path / "t").write_text(train)
    (tmp_path / "v").write_text(val)
    given = [Candidate(n, n, tmp_path / f"{n}.png", None) for n in ("a", "b", "x/same", "y/same")]
    with pytest.raises(MisuseError, match=sentence):
        Lists("t", "v").divide(given, tmp_path)


def test_a_missing_list_names_those_there(tmp_path: Path) -> None:
    (tmp_path / "training.txt").touch()
    with pytest.raises(MisuseError, match=r"train\.txt: there is no such list; there is: training\.txt"):
        Lists("train.txt", "val.txt").divide([], tmp_path)


def test_a_pipe_is_no_list(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "train.txt")
    with pytest.raises(MisuseError, match=r"train\.txt: a named pipe"):
        Lists("train.txt", "val.txt").divide([], tmp_path)
