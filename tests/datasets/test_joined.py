"""Several data sets as one."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segapp.datasets import Contiguous, Folder, Joined
from segapp.errors import MisuseError
from segapp.init_args import describe
from segapp.spec import Intensity
from tests.datasets.look_alikes import write_pair

CLASSES = ("background", "a", "b")


def write_set(root: Path, count: int, value: int) -> None:
    for i in range(count):
        write_pair(root, f"{i}", np.zeros((8, 8, 3), np.uint8), np.full((8, 8), value, np.uint8))


def folder(root: Path, classes: tuple[str, ...] = CLASSES, **settings: Any) -> Folder:
    return Folder(root, classes, **{"split": Contiguous(val=0.4), **settings})


@pytest.fixture
def roots(tmp_path: Path) -> list[Path]:
    write_set(tmp_path / "first", 3, 1)
    write_set(tmp_path / "second", 5, 1)
    return [tmp_path / "first", tmp_path / "second"]


def test_channels_and_range_of_values_must_agree(roots: list[Path]) -> None:
    grey, scaled = folder(roots[1], channels=1), folder(roots[1], intensity=Intensity("zscore"))
    with pytest.raises(MisuseError, match=r"channels.*3.*1"):
        _ = Joined([folder(roots[0]), grey]).channels
    with pytest.raises(MisuseError, match=r"intensity.*stored.*zscore"):
        _ = Joined([folder(roots[0]), scaled]).intensity
    assert [problem.setting for problem in Joined([folder(roots[0]), grey]).layout_problems()] == ["sources"]


def test_classes_are_matched_by_name_and_the_rest_is_each_sets_own(roots: list[Path]) -> None:
    joined = Joined([folder(roots[0]), folder(roots[1], ("b", "a", "background"), background=2)], names=["x", "y"])
    assert (joined.classes, joined.background, joined.channels) == (("background", "a", "b"), 0, 3)
    assert [item.name for item in joined.items("train")] == ["x/0", "x/1", "y/0", "y/1", "y/2"]
    assert [(item.name, item.group, item.source) for item in joined.items("val")] == [
        *(("x/2", "x/2", 0), ("y/3", "y/3", 1), ("y/4", "y/4", 1)),
    ]
    x, y = (joined.select([name])[0].mask for name in ("x/2", "y/4"))
    assert x and y and (x.read() == 1).all() and (y.read_window(2, 2, 3, 4) == 1).all() and y.shape == (8, 8)
    joined = Joined([folder(roots[0]), folder(roots[1], ("b", "background", "a"), background=1)])
    assert [int(item.mask.read()[0, 0]) for item in joined.select(["2/4", "1/0"]) if item.mask] == [0, 1]
    assert joined.item_names() == ["1/0", "1/1", "1/2", "2/0", "2/1", "2/2", "2/3", "2/4"]
    assert describe(joined)["init_args"]["sources"][1]["init_args"]["background"] == 1


def test_a_value_that_is_no_class_of_its_own_set_is_refused(roots: list[Path]) -> None:
    write_set(roots[1], 5, 3)
    joined = Joined([folder(roots[0]), folder(roots[1], ("background", "b", "a"))])
    found = [problem for problem in joined.problems() if problem.kind == "mask"]
    assert len(found) == 5 and "second" in found[0].message and found[0].items == ("2/0",)


def test_problems_are_those_of_every_set(roots: list[Path]) -> None:
    (roots[1] / "masks" / "3.png").unlink()
    joined = Joined([folder(roots[0]), folder(roots[1])])
    (missing,) = joined.layout_problems()
    assert (missing.kind, missing.setting) == ("mask missing", "sources[1].masks")
    assert missing.message.startswith("data set 2: ")
    with pytest.raises(MisuseError, match="3"):
        joined.items("train")
    assert len(joined.checkable_items()["train"]) == 6  # of the second, all that have a mask


def test_joined_sets_are_not_joined_again(roots: list[Path]) -> None:
    with pytest.raises(MisuseError, match="sources"):
        Joined([folder(roots[0])])
    with pytest.raises(MisuseError, match="sources"):
        Joined([Joined([folder(roots[0]), folder(roots[1])]), folder(roots[0])])


def test_an_image_is_not_trained_on_in_one_set_and_scored_in_another(roots: list[Path]) -> None:
    assert Joined([folder(roots[1]), folder(roots[1])]).items("train")
    joined = Joined([folder(roots[1], split=Contiguous(val=0.2)), folder(roots[1])])
    with pytest.raises(MisuseError, match=r"3\.png"):
        joined.items("train")
    assert [problem.setting for problem in joined.layout_problems()] == ["sources"]


def test_a_class_that_one_set_lacks_was_not_looked_for_there(roots: list[Path]) -> None:
    others = [folder(roots[1], ("background", "b", "a")), folder(roots[0], ("c", "background"), background=1)]
    joined = Joined([folder(roots[0], ("background", "a"), looked_for=[]), *others])
    assert joined.classes == ("background", "a", "b", "c")
    assert len(set(joined.palette)) == 4
    first, other, last = (joined.select([name])[0] for name in ("1/0", "2/0", "3/0"))
    assert first.looked_for == (True, False, False, False)
    assert other.looked_for == (True, True, True, False)
    assert last.looked_for == (True, False, False, True)
    assert other.mask and last.mask and int(other.mask.read()[0, 0]) == 2 and int(last.mask.read()[0, 0]) == 0
