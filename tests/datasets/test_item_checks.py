"""Checks that read images and masks."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from segapp.datasets import Item, item_checks
from segapp.datasets.item_checks import check_items
from segapp.datasets.problems import raise_first
from segapp.errors import SegappError
from tests.datasets.folders import folder
from tests.datasets.pairs import MASK, kinds, write_pairs
from tests.loading.conftest import Pixels


def test_a_class_that_a_split_lacks_is_a_warning(tmp_path: Path) -> None:
    write_pairs(tmp_path, [f"{index}" for index in range(6)])
    found = list(folder(tmp_path, ("background", "a", "b")).problems())
    assert kinds(found) == ["class", "class"]
    assert {problem.severity for problem in found} == {"warning"}
    assert all("holds b:" in problem.message for problem in found)
    raise_first(found)


def test_a_colour_mask_is_reported_per_file(tmp_path: Path) -> None:
    write_pairs(tmp_path, ["a", "b", "c"])
    cv2.imwrite(str(tmp_path / "masks/b.png"), np.dstack([MASK * 90, MASK * 50, MASK]))
    found = [problem for problem in folder(tmp_path).problems() if problem.severity == "error"]
    assert [problem.path and problem.path.name for problem in found] == ["b.png"]


class Broken(Pixels):
    """An image or a mask whose pixels cannot be read."""

    path = Path("broken.png")

    def read(self) -> np.ndarray:
        raise SegappError("broken.png: is truncated.")

    def read_window(self, y: int, x: int, h: int, w: int) -> np.ndarray:
        return self.read()


def item(image: Pixels | None = None, mask: Pixels | None = None) -> Item:
    return Item("a", "a", image or Pixels(np.zeros((8, 9, 1), np.uint8)), mask or Pixels(MASK))


@pytest.mark.parametrize(
    ("member", "expected"),
    [
        (item(), []),
        (Item("a", "a", Pixels(np.zeros((8, 9, 1), np.uint8)), None), []),
        (item(image=Broken(np.zeros((8, 9, 1), np.uint8))), [("image", Path("broken.png"), None, "truncated")]),
        (item(mask=Broken(MASK)), [("mask", Path("broken.png"), "mask", "'a'")]),
        (item(mask=Pixels(MASK[:, :5])), [("mask", None, "masks", "8 x 9 pixels and its mask 8 x 5")]),
        (item(mask=Pixels(MASK * 2)), [("mask", None, "classes", "[2]")]),
    ],
)
def test_a_problem_names_its_kind_its_file_and_its_setting(member: Item, expected: list[Any]) -> None:
    errors = [problem for problem in check_items({"val": [member]}, ["a", "b"]) if problem.severity == "error"]
    assert [(problem.kind, problem.path, problem.setting) for problem in errors] == [row[:3] for row in expected]
    assert all(row[3] in problem.message for problem, row in zip(errors, expected, strict=True))


def test_large_images_are_read_in_stripes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_checks, "STRIPE_PIXELS", 20)
    seen: list[tuple[int, int]] = []

    class Seen(Pixels):
        def read_window(self, y: int, x: int, h: int, w: int) -> np.ndarray:
            seen.append((y, h))
            return super().read_window(y, x, h, w)

    list(check_items({"val": [item(image=Seen(np.zeros((8, 9, 1), np.uint8)))]}, ["a", "b"]))
    assert seen == [(0, 2), (2, 2), (4, 2), (6, 2)]
