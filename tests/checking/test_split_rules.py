"""Images that occur twice, or on both sides of a split."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from segapp.loading.source_building import build_source
from tests.checking.shapes import SOURCE, check

pytestmark = pytest.mark.usefixtures("no_figures")


def read(path: Path) -> np.ndarray:
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def read_splits() -> dict[str, str]:
    """Return the split of each image."""
    source = build_source("mine.yaml", {"source": SOURCE})
    return {item.name: split for split in ("train", "val", "test") for item in source.items(split)}


def test_copies_are_errors_across_splits_and_warnings_within(folder):
    splits = read_splits()
    train = [name for name, split in splits.items() if split == "train"]
    other = next(name for name, split in splits.items() if split == "val")
    for kind in ("images", "masks"):
        shutil.copy(folder / kind / f"{train[0]}.png", folder / kind / f"{train[1]}.png")
        shutil.copy(folder / kind / f"{train[2]}.png", folder / kind / f"{other}.png")
    code, problems = check()
    found = {(problem["kind"], problem["severity"]): set(problem["items"]) for problem in problems}
    assert code == 1
    assert found["leak", "error"] == {train[2], other}
    assert found["duplicate", "warning"] == {train[1]}


def test_equal_images_with_different_masks_contradict_each_other(folder):
    train = [name for name, split in read_splits().items() if split == "train"]
    shutil.copy(folder / "images" / f"{train[0]}.png", folder / "images" / f"{train[1]}.png")
    _, problems = check()
    assert any("different masks" in problem["message"] for problem in problems)


def test_near_copies_across_splits_are_found(folder):
    splits = read_splits()
    train, other = (next(name for name, split in splits.items() if split == wanted) for wanted in ("train", "test"))
    image = read(folder / "images" / f"{train}.png")
    cv2.imwrite(str(folder / "images" / f"{other}.png"), np.clip(image.astype(int) * 0.9 + 5, 0, 255).astype(np.uint8))
    shutil.copy(folder / "masks" / f"{train}.png", folder / "masks" / f"{other}.png")
    code, problems = check()
    assert code == 0
    assert {train, other} in [set(problem["items"]) for problem in problems if problem["kind"] == "leak"]
