"""Files of objects become class indices."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from segapp.datasets import Instances, PerClass
from segapp.errors import MisuseError
from tests.datasets.masks.common import mask, saved


def test_instances_are_one_class_with_a_border_where_they_touch(tmp_path: Path) -> None:
    first = saved(tmp_path / "1.png", [[255, 255, 0, 0, 0, 0]])
    second = saved(tmp_path / "2.png", [[0, 0, 255, 255, 0, 0]])
    third = saved(tmp_path / "3.png", [[0, 0, 0, 0, 0, 255]])
    np.testing.assert_array_equal(mask(Instances(), first, second, third).read(), [[1, 1, 1, 1, 0, 1]])
    border = mask(Instances("a", "edge"), first, second, third, classes=("background", "a", "edge"))
    np.testing.assert_array_equal(border.read(), [[1, 2, 2, 1, 0, 1]])
    np.testing.assert_array_equal(border.read_window(0, 0, 1, 2), [[1, 2]])  # though the other lies outside


def test_overlaps_are_border_and_diagonals_touch(tmp_path: Path) -> None:
    first = saved(tmp_path / "1.png", [[255, 255, 0], [0, 0, 0], [255, 0, 0]])
    second = saved(tmp_path / "2.png", [[0, 255, 0], [0, 0, 255], [0, 0, 0]])
    read = mask(Instances("a", "edge"), first, second, classes=("background", "a", "edge")).read()
    np.testing.assert_array_equal(read, [[2, 2, 0], [0, 0, 1], [1, 0, 0]])
    whole = saved(tmp_path / "3.png", [[255] * 7])
    inner = saved(tmp_path / "4.png", [[0, 0, 255, 255, 255, 0, 0]])
    read = mask(Instances("a", "edge"), whole, inner, classes=("background", "a", "edge")).read()
    np.testing.assert_array_equal(read, [[1, 2, 2, 2, 2, 2, 1]])


def test_one_file_with_a_value_per_object(tmp_path: Path) -> None:
    path = tmp_path / "labels.tif"
    tifffile.imwrite(path, np.array([[0, 300, 300, 7]], np.uint16))
    np.testing.assert_array_equal(mask(Instances(), path).read(), [[0, 1, 1, 1]])
    border = mask(Instances("a", "edge"), path, classes=("background", "a", "edge"))
    np.testing.assert_array_equal(border.read(), [[0, 1, 2, 2]])


def test_several_files_must_be_binary_and_of_one_size(tmp_path: Path) -> None:
    first = saved(tmp_path / "1.png", [[0, 255]])
    with pytest.raises(MisuseError, match="holds 7, 9 where 0 and one other value"):
        mask(Instances(), first, saved(tmp_path / "2.png", [[7, 9]])).read()
    with pytest.raises(MisuseError, match=r"2 x 2 pixels, but .*1\.png of the same image has 1 x 2"):
        mask(Instances(), first, saved(tmp_path / "3.png", [[0, 255], [0, 0]])).read()


def test_per_class_files_in_stated_order(tmp_path: Path) -> None:
    classes = ("background", "lung", "lesion")
    lung = saved(tmp_path / "lung" / "m.png", [[255, 255, 0]])
    lesion = saved(tmp_path / "lesion" / "m.png", [[255, 0, 0]])
    np.testing.assert_array_equal(mask(PerClass(), lung, lesion, classes=classes).read(), [[2, 1, 0]])
    np.testing.assert_array_equal(mask(PerClass(["lesion", "lung"]), lung, lesion, classes=classes).read(), [[1, 1, 0]])
    np.testing.assert_array_equal(mask(PerClass(["lesion"]), lung, lesion, classes=classes).read(), [[2, 1, 0]])
    np.testing.assert_array_equal(mask(PerClass(["lung"]), lung, lesion, classes=classes).read(), [[1, 1, 0]])
    np.testing.assert_array_equal(mask(PerClass(), lesion, classes=classes).read(), [[2, 0, 0]])
    assert mask(PerClass(), lung, lesion, classes=classes).count_overlaps() == 1
    assert mask(PerClass(), lesion, classes=classes).count_overlaps() == 0
    assert mask(Instances(), lung, lesion).count_overlaps() == 0
