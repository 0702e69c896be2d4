"""Masks in the class indices of another list."""

import numpy as np
import pytest

from segapp.datasets.masks.remapped_mask import RemappedMask
from segapp.errors import MisuseError
from tests.loading.conftest import Pixels


def test_every_class_has_its_new_index_and_255_stays() -> None:
    mask = RemappedMask(Pixels(np.array([[0, 1, 2], [255, 2, 0]], np.uint8)), [254, 0, 7])
    assert mask.read().tolist() == [[254, 0, 7], [255, 7, 254]]
    assert mask.read().dtype == np.uint8
    assert mask.read_window(0, 1, 2, 1).tolist() == [[0], [7]]
    assert mask.shape == (2, 3) and mask.path is None


def test_a_value_that_is_no_class_is_refused_where_it_is_read() -> None:
    mask = RemappedMask(Pixels(np.array([[0, 5]], np.uint8)), [1, 0])
    assert mask.read_window(0, 0, 1, 1).tolist() == [[1]]
    with pytest.raises(MisuseError, match="5"):
        mask.read()
