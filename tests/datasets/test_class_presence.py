"""Which classes masks hold."""

import time

import numpy as np
import pytest

from segapp.datasets.class_presence import find_classes, find_classes_of_each, map_in_threads
from segapp.errors import MisuseError
from tests.loading.conftest import Pixels

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),  # Lightning 2.6.6 on this torch
    pytest.mark.filterwarnings("ignore::lightning.fabric.utilities.warnings.PossibleUserWarning"),
]


def test_a_very_large_mask_is_sampled_in_windows() -> None:
    class Large:
        shape = (2**13, 2**12)

        def read(self) -> np.ndarray:
            raise AssertionError("decoded as a whole")

        def read_window(self, y: int, x: int, h: int, w: int) -> np.ndarray:
            assert h <= 512 and w <= 512
            return np.full((h, w), 1 if y else 0, np.uint8)

    assert find_classes(Large()) == {0, 1}


def test_classes_are_those_of_each_mask_without_what_is_ignored() -> None:
    masks = [Pixels(np.array([row], np.uint8)) for row in ([0, 0, 3], [255, 255, 255], [7, 255, 0])]
    assert find_classes_of_each(masks) == [{0, 3}, set(), {0, 7}]


def test_results_come_in_order_and_the_first_error_ends_the_rest() -> None:
    done: list[int] = []

    def work(number: int) -> int:
        time.sleep(0.01 if number == 0 else 0)
        if number == 2:
            raise MisuseError("of the third")
        done.append(number)
        return 10 * number

    assert list(map_in_threads(work, [0, 1])) == [0, 10]
    found = map_in_threads(work, range(1000))
    assert (next(found), next(found)) == (0, 10)
    with pytest.raises(MisuseError, match="of the third"):
        next(found)
    assert len(done) < 1000
