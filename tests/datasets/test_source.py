"""The contract of every data set."""

from collections.abc import Sequence

import numpy as np

from segapp.datasets import Item, Source
from segapp.datasets.source import SplitName
from segapp.errors import MisuseError
from segapp.spec import Intensity
from tests.loading.conftest import Pixels


class Own(Source):
    """A source of somebody else."""

    classes = ("background", "a")
    background = 0
    palette = ((0, 0, 0), (9, 9, 9))
    channels = 1
    intensity = Intensity()

    def items(self, split: SplitName) -> Sequence[Item]:
        raise MisuseError(f"no list of {split} images.")


def test_a_source_of_ones_own_reports_what_its_items_raise() -> None:
    assert [problem.message for problem in Own().problems()] == ["no list of train images."]


class Three(Own):
    """A source of three items, one in two splits."""

    def items(self, split: SplitName) -> Sequence[Item]:
        pixels = Pixels(np.zeros((4, 4, 1), np.uint8)), Pixels(np.eye(4, dtype=np.uint8))
        named = {"train": ["b", "a"], "val": ["a"], "test": ["c"]}
        return [Item(name, name, *pixels) for name in named[split]]


def test_names_are_those_of_all_splits_once_and_select_their_items() -> None:
    source = Three()
    assert source.item_names() == ["b", "a", "c"]
    assert [item.name for item in source.select(["c", "b"])] == ["c", "b"]
    assert {split: len(items) for split, items in source.checkable_items().items()} == {"train": 2, "val": 1, "test": 1}
    assert list(source.problems()) == []
    assert Own().checkable_items() == {}
