"""The settings of joined data sets."""

from pathlib import Path
from typing import Any

import pytest

from segapp.datasets import Folder
from segapp.datasets.joined_settings import join_classes, list_names, list_weights, require_equal
from segapp.errors import MisuseError


def make_folder(*classes: str, background: int | None = 0) -> Folder:
    return Folder(Path("nowhere"), classes, background=background)


def test_classes_are_those_of_the_first_whatever_the_order_of_the_others() -> None:
    first = make_folder("background", "a", "b")
    joined = join_classes({"1": first, "2": make_folder("b", "background", "a", background=1)})
    assert joined == (first.classes, 0, first.palette)


@pytest.mark.parametrize(
    ("other", "found"),
    [
        (make_folder("background", "a", "b", background=None), "background.*null"),
        (make_folder("background", "a", "b", background=2), "background.*'b'"),
    ],
    ids=["none", "another"],
)
def test_other_classes_or_another_background_are_refused_by_name(other: Folder, found: str) -> None:
    with pytest.raises(MisuseError, match=found):
        join_classes({"1": make_folder("background", "a", "b"), "2": other})


def test_classes_that_some_sets_lack_need_a_background() -> None:
    sets = {"1": make_folder("background", "a"), "2": make_folder("b", "background", background=1)}
    assert join_classes(sets)[0] == ("background", "a", "b")
    with pytest.raises(MisuseError, match="background"):
        join_classes({"1": make_folder("a", "b", background=None), "2": make_folder("a", "c", background=None)})


@pytest.mark.parametrize("names", [["x"], ["x", "x"], ["a/b", "c"], ["..", "c"], ["", "c"], "ab"], ids=str)
def test_names_are_one_word_for_each(names: Any) -> None:
    with pytest.raises(MisuseError, match="names"):
        list_names(names, 2)
    assert list_names([], 2) == ("1", "2")


@pytest.mark.parametrize("weights", [[1], [1, 0], [1, float("nan")], [1, float("inf")]], ids=str)
def test_weights_are_one_above_0_for_each(weights: list[float]) -> None:
    with pytest.raises(MisuseError, match="weights"):
        list_weights(weights, 2)
    assert list_weights([3, 1], 2) == (3.0, 1.0)


def test_what_one_set_leaves_open_is_that_of_the_others() -> None:
    assert require_equal({"1": (), "2": ("x",), "3": ("x",)}, "channel_files", ()) == ("x",)
    assert require_equal({"1": (), "2": ()}, "channel_files", ()) == ()
    with pytest.raises(MisuseError, match=r"axis.*1.*3"):
        require_equal({"1": "auto", "2": "auto", "3": "axial"}, "axis")
