"""Entries belong to the images that their names end like, and to none where several would fit."""

from pathlib import Path

import pytest

from segapp.datasets.annotations.entry import Entry
from segapp.datasets.annotations.matching import MatchedFile, split_name


def match(entries: list[str], images: list[str], is_shared: bool = True) -> MatchedFile:
    paths = {name: Path("/data/set") / name for name in images}
    return MatchedFile(Path("all.json"), [Entry(name, ()) for name in entries], paths, is_shared)


def pairs(found: MatchedFile) -> dict[str, str]:
    return {name: entry.name for name, entry in found.entries.items()}


@pytest.mark.parametrize(
    ("entries", "images", "expected"),
    [
        (["a.png", "b.png"], ["i/a.png", "i/b.png"], {"i/a.png": "a.png", "i/b.png": "b.png"}),
        (["train/a.png"], ["images/a.png"], {"images/a.png": "train/a.png"}),
        (["x/a.png", "y/a.png"], ["i/x/a.png", "i/y/a.png"], {"i/x/a.png": "x/a.png", "i/y/a.png": "y/a.png"}),
        (["a.png", "x/a.png"], ["i/a.png", "i/x/a.png"], {"i/a.png": "a.png", "i/x/a.png": "x/a.png"}),
        (
            ["c:\\set\\x\\a.png", "y/a.png"],
            ["x/a.png", "y/a.png"],
            {"x/a.png": "c:\\set\\x\\a.png", "y/a.png": "y/a.png"},
        ),
        (["a.png"], ["x/a.png", "y/a.png"], {}),
        (["a.png", "a.png"], ["a.png"], {}),
        (["u/a.png", "v/a.png"], ["w/a.png"], {}),
        (["/data/upload/3/1a2b3c4d-a.png"], ["i/a.png"], {"i/a.png": "/data/upload/3/1a2b3c4d-a.png"}),
        (["1a2b3c4d-a.png", "a.png"], ["a.png"], {}),
        (["1a2b3c4d-a.png"], ["1a2b3c4d-a.png"], {"1a2b3c4d-a.png": "1a2b3c4d-a.png"}),
        (["a.jpg"], ["a.png"], {}),
        (["../../a.png"], ["a.png"], {"a.png": "../../a.png"}),
    ],
)
def test_names(entries: list[str], images: list[str], expected: dict[str, str]) -> None:
    assert pairs(match(entries, images)) == expected


def test_a_file_of_one_image_needs_no_name() -> None:
    assert pairs(match(["else.jpg"], ["a.png"], is_shared=False)) == {"a.png": "else.jpg"}
    assert pairs(match(["else.jpg"], ["a.png"])) == {}
    assert pairs(match(["b.png", "a.png"], ["a.png"], is_shared=False)) == {"a.png": "a.png"}


def test_problems_are_named() -> None:
    missing = [*match(["a.png", "z.png"], ["a.png", "b.png", "c.png"]).find_problems(["a.png", "b.png", "c.png"])]
    assert [(problem.kind, problem.path and problem.path.name) for problem in missing] == [
        ("mask missing", "b.png"),
        ("mask missing", "c.png"),
    ]
    assert "2 images" in missing[0].message and "'z.png'" in missing[0].message
    (ambiguous,) = match(["u/a.png", "v/a.png"], ["w/a.png"]).find_problems(["w/a.png"])
    assert ambiguous.kind == "name" and "'u/a.png' or 'v/a.png'" in ambiguous.message
    (unused,) = match(["a.png", "z.png"], ["a.png"]).find_problems(["a.png"])
    assert (unused.kind, unused.severity) == ("image missing", "warning") and "1 of 2" in unused.message
    (empty,) = match([], ["a.png"]).find_problems(["a.png"])
    assert "holds no image" in empty.message
    assert "one file for each image" in next(match([""], ["a.png", "b.png"]).find_problems(["a.png"])).message


def test_names_are_split_at_every_slash() -> None:
    assert split_name("a\\b/c.png") == ["a", "b", "c.png"]
    assert split_name("/data/local-files/?d=x/a.png") == ["x", "a.png"]
    assert split_name("https://host/a.png?sig=1/2") == ["https:", "host", "a.png"]
    assert split_name("") == [""]
