"""Words of the command line: runs, folders of predictions, and what they are called."""

from pathlib import Path

import pytest

from segapp.errors import MisuseError
from segapp.lab.compare.competitors import Competitor, name_apart, read_competitors


def test_a_folder_of_predictions_has_a_name_and_an_equals_sign(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("lr=0.1").mkdir()
    words = ["runs/lr=0.1/today", "lr=0.1", "nnunet=masks/lr=1"]
    found = read_competitors(words)
    assert found[2] == Competitor(Path("masks/lr=1"), "nnunet")
    assert [one.is_run for one in found] == [True, True, False]
    assert [one.word for one in found] == words


@pytest.mark.parametrize(
    ("words", "found"),
    [(["a"], "two"), (["a", "b/../a"], "twice"), (["x=a", "x=b"], "'x'"), (["a", "=b"], "NAME=FOLDER")],
)
def test_what_cannot_be_compared_is_refused(words, found):
    with pytest.raises(MisuseError, match=found):
        read_competitors(words)


def paths(*names: str) -> list[Path]:
    return list(map(Path, names))


def test_names_are_as_long_as_they_must_be():
    assert name_apart(paths("a/1", "b/1"), ["plain", "skips"]) == ["plain", "skips"]
    assert name_apart(paths("a/1", "a/2"), ["mine", "mine"]) == ["mine 1", "mine 2"]
    assert name_apart(paths("a/1", "b/1", "b/2"), ["mine"] * 3) == ["mine a/1", "mine b/1", "mine b/2"]
    assert name_apart(paths("/a/1", "/b/a/1"), ["mine"] * 2) == ["mine /a/1", "mine b/a/1"]
    # the examples of these need two folders
    assert name_apart(paths("a/1", "b/2"), ["my net", "my_net"]) == ["my net 1", "my_net 2"]
    first, second = name_apart(paths("a b/1", "a_b/1"), ["mine"] * 2)
    assert first.startswith("1 mine /") and second.startswith("2 mine /")
