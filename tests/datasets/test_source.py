"""The contract of every data set."""

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pytest

from segapp.datasets import Item, Source
from segapp.datasets.source import SplitName, find_pixel_size
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


@pytest.mark.parametrize(
    ("meta", "size"),
    [
        ({"pixel_size": (2.0, 3.0)}, (2.0, 3.0)),
        ({"affine": (0, 0.5, 0, 0, 0, -1), "geo_keys": {1024: 1, 3072: 32633}}, (1e6, 5e5)),
        ({"affine": (0, 0.5, 0, 0, 0, -1), "geo_keys": {1024: 2}}, None),
        ({}, None),
    ],
)
def test_the_size_of_a_pixel_is_what_the_file_states(meta, size) -> None:
    image = SimpleNamespace(meta=meta)
    assert find_pixel_size(image) == find_pixel_size(SimpleNamespace(whole=image)) == size
    assert find_pixel_size(SimpleNamespace()) is None
