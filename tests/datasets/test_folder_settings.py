"""Folder's settings: what is accepted, and what the refusals say."""

from pathlib import Path
from typing import Any

import pytest

from segapp.datasets import Folder
from segapp.datasets.folder_settings import check_classes, check_palette, compile_group
from segapp.errors import MisuseError
from tests.datasets.folders import CLASSES


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"classes": ["one"]}, r"2 to 255 names are needed, got 1"),
        ({"classes": ["a", "a"]}, "'a' is there twice"),
        ({"background": 2}, r"background=2 is not one of 0 … 1"),
        ({"palette": [(0, 0, 300), (0, 0, 0)]}, "three numbers 0 … 255"),
        ({"palette": [(0, 0), (0, 0, 0)]}, "three numbers 0 … 255"),
        ({"group": "("}, "is not a regular expression"),
        ({"group": "a"}, "needs one pair of parentheses"),
    ],
)
def test_wrong_settings(tmp_path: Path, settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(MisuseError, match=sentence):
        Folder(tmp_path, **{"classes": CLASSES, **settings})


def test_256_classes_are_too_many_and_255_are_not() -> None:
    names = tuple(map(str, range(256)))
    check_classes(names[:-1], background=254)
    with pytest.raises(MisuseError, match="got 256"):
        check_classes(names, background=None)


def test_a_palette_becomes_tuples_of_integers() -> None:
    assert check_palette([[0, 128, 255]]) == ((0, 128, 255),)  # type: ignore[list-item]


def test_a_group_is_optional() -> None:
    assert compile_group(None) is None
    expression = compile_group("^([a-z])-")
    assert expression is not None
    assert expression.findall("a-1") == ["a"]
