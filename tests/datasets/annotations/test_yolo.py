"""YOLO: a text file for each image, in fractions of the image."""

from pathlib import Path

import numpy as np
import pytest

from segapp.datasets import Yolo
from segapp.errors import MisuseError
from tests.datasets.annotations.samples import draw, read_masks, write_image


def paint(
    root: Path, text: str, names: str | None = "names: [cat, dog]", **settings: dict[str, str | None]
) -> np.ndarray:
    write_image(root)
    (root / "labels").mkdir(exist_ok=True)
    (root / "labels/a.txt").write_text(text)
    (root / "labels/classes.txt").write_text("cat\ndog\n")
    if names is not None:
        (root / "data.yaml").write_text(names)
    return read_masks(root, Yolo(**settings), "labels")["a"]


TEXT = "0 0 0 0.5 0 0.5 0.5 0 0.5\n1 0.25 0 0.5 0 0.5 1.1 0.25 1.1\n\n"
EXPECTED = "11110000 11110000 11110000 00220000 00220000 00220000"


@pytest.mark.parametrize("names", ["names: [cat, dog]", "names:\n  0: cat\n  1: dog\n"])
def test_smaller_objects_are_above_larger_ones(tmp_path: Path, names: str) -> None:
    """As Ultralytics' `polygons2masks_overlap`."""
    assert paint(tmp_path, TEXT, names).tolist() == draw(EXPECTED)
    assert paint(tmp_path, "\n".join(TEXT.splitlines()[::-1]), names).tolist() == draw(EXPECTED)


def test_without_names_classes_are_numbers(tmp_path: Path) -> None:
    assert paint(tmp_path, TEXT, None, labels={"0": "cat", "1": "dog"}).tolist() == draw(EXPECTED)
    with pytest.raises(MisuseError, match=r"'1' \(1\), '0' \(1\)"):
        paint(tmp_path, TEXT, None)


def test_an_empty_file_has_nothing_on_it(tmp_path: Path) -> None:
    assert not paint(tmp_path, "").any()


def test_boxes_are_counted_and_not_painted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert not paint(tmp_path, "0 0.5 0.5 0.2 0.2\n").any()
    assert "1 boxes" in caplog.text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0 0 0 1 1 0", "line 1: 6 words"),
        ("0 0 0 1 1 0.5 0.5 1", "line 1: 8 words"),
        (TEXT + "cat 0 0 1 1 0 1", "line 4.*class number"),
        ("0 0 0 1 1 0 nan", "coordinate is nan"),
        ("0 0 0 400 300 0 100", "fractions"),
        ("0 0 0 1e999 1 0 1", "coordinate is inf"),
    ],
)
def test_damaged_lines_are_named(tmp_path: Path, text: str, found: str) -> None:
    with pytest.raises(MisuseError, match=rf"a\.txt: {found}" if "line" in found else rf"a\.txt.*{found}"):
        paint(tmp_path, text)


PAIRS = (("a", "b"), ("b", "c"), ("c", "d"), ("d", "e"), ("e", "f"))
MERGES = "a: &a {x: 1}\n" + "".join(f"{b}: &{b} {{<<: [{', '.join(['*' + a] * 90)}]}}\n" for a, b in PAIRS)


@pytest.mark.parametrize(
    "names",
    [
        "nc: 2",
        "names: 3",
        "{",
        "names: [[1]]",
        "!!python/object/apply:os.system [ls]",
        "[" * 200_000,
        "- " * 200_000,
        "made: 2026-13-45",
        "number: " + "1" * 5000,
        MERGES,
    ],
    ids=range(10),
)
def test_a_damaged_data_file_is_named(tmp_path: Path, names: str) -> None:
    with pytest.raises(MisuseError, match=r"data\.yaml"):
        paint(tmp_path, TEXT, names)
