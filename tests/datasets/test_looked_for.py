"""Which classes masks show where they are."""

from pathlib import Path

import numpy as np
import pytest

from segapp.datasets import Contiguous, Folder
from segapp.datasets.looked_for import LookedFor, restrict_mask
from segapp.errors import MisuseError
from tests.datasets.look_alikes import write_pair
from tests.loading.conftest import Pixels

CLASSES = ("background", "a", "b")


def write_table(root: Path, *rows: str) -> str:
    (root / "seen.csv").write_text("\n".join(["name,classes", *rows]) + "\n")
    return "seen.csv"


def test_a_list_holds_for_all_images_and_the_background_is_always_labelled(tmp_path: Path) -> None:
    assert LookedFor(["b"], tmp_path, CLASSES, 0).find("x") == (True, False, True)
    assert LookedFor(["a", "b"], tmp_path, CLASSES, 0).find("x") is None
    assert LookedFor(None, tmp_path, CLASSES, None).find("x") is None


def test_a_table_lists_every_image_or_volume(tmp_path: Path) -> None:
    table = write_table(tmp_path, "x,a; b", "y,", "case,b")
    looked_for = LookedFor(table, tmp_path, CLASSES, 0)
    assert looked_for.find("x") is None
    assert looked_for.find("y") == (True, False, False)
    assert looked_for.find("case/axial=03") == (True, False, True)
    with pytest.raises(MisuseError, match=r"seen\.csv.*'z'"):
        looked_for.find("z")


@pytest.mark.parametrize("row", ["x,c", "x,a", 'x,"a, b"'])
def test_a_row_that_means_nothing_is_refused(tmp_path: Path, row: str) -> None:
    looked_for = LookedFor(write_table(tmp_path, "x,a", row), tmp_path, CLASSES, 0)
    with pytest.raises(MisuseError, match=r"seen\.csv"):
        looked_for.find("x")


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MisuseError, match="none"):
        LookedFor("none.csv", tmp_path, CLASSES, 0).find("x")
    with pytest.raises(MisuseError, match="background"):
        LookedFor(["a"], tmp_path, CLASSES, None)
    (tmp_path / "other.csv").write_text("image\nx\n")
    with pytest.raises(MisuseError, match="columns"):
        LookedFor("other.csv", tmp_path, CLASSES, 0).find("x")


def test_a_mask_with_a_class_that_was_not_looked_for_is_refused_when_read() -> None:
    pixels = Pixels(np.array([[0, 2, 255]], np.uint8))
    assert restrict_mask(pixels, None) is pixels
    assert restrict_mask(pixels, (True, False, True)).read().tolist() == [[0, 2, 255]]
    with pytest.raises(MisuseError, match="looked_for"):
        restrict_mask(pixels, (True, True, False)).read()


def test_a_folder_hands_its_table_to_its_items(tmp_path: Path) -> None:
    for name in "xyz":
        write_pair(tmp_path, name, np.zeros((4, 4), np.uint8), np.full((4, 4), name == "x", np.uint8))
    table = write_table(tmp_path, "x,a", "y,b", "z,a;b")
    source = Folder(tmp_path, CLASSES, looked_for=table, split=Contiguous(val=0.3))
    known = {item.name: item.looked_for for item in [*source.items("train"), *source.items("val")]}
    assert known == {"x": (True, True, False), "y": (True, False, True), "z": None}
    assert not [problem for problem in source.problems() if problem.severity == "error"]
    wrong = Folder(tmp_path, CLASSES, looked_for=["b"], split=Contiguous(val=0.3))
    assert [problem.items for problem in wrong.problems() if problem.severity == "error"] == [("x",)]
