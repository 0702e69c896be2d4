"""The values that options give to classes, and masks read by them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segapp.datasets.masks.class_values import ClassValues, find_background
from segapp.errors import MisuseError
from segapp.io import FilePart


def save(folder: Path, pixels: list, suffix: str = ".png") -> FilePart:
    path = folder / f"mask{suffix}"
    Image.fromarray(np.array(pixels, np.uint8)).save(path)
    return FilePart(path)


@pytest.mark.parametrize(
    ("classes", "ignore", "expected"),
    [
        ("a, b", "auto", (("a", "b"), (0, 1), (255,))),
        ("a=0,b=255", "auto", (("a", "b"), (0, 255), ())),
        ("a=7,b", "0,9", (("a", "b"), (7, 1), (0, 9))),
        ("a,b", "none", (("a", "b"), (0, 1), ())),
    ],
)
def test_options_are_parsed(classes, ignore, expected) -> None:
    values = ClassValues.parse(classes, ignore)
    assert (values.classes, values.values, values.ignored) == expected


@pytest.mark.parametrize(
    ("classes", "ignore", "words"),
    [
        ("a", "auto", "got 1"),
        ("a=x,b", "auto", "--classes: 'x'"),
        ("a,b", "-1", "--ignore: '-1'"),
        ("a,b", "70000", "--ignore: '70000'"),
        ("a,a", "auto", "name a twice"),
        ("a=1,b", "auto", "value 1 twice"),
        ("a,b", "1", "value 1 twice"),
        ("a=0,b=0", "auto", "value 0 twice"),
    ],
)
def test_options_that_contradict_are_refused(classes, ignore, words) -> None:
    with pytest.raises(MisuseError, match=words):
        ClassValues.parse(classes, ignore)


def test_the_background_is_a_class() -> None:
    assert (find_background(["a", "b"], "b"), find_background(["a", "b"], "")) == (1, None)
    with pytest.raises(MisuseError, match="--background 'c'"):
        find_background(["a", "b"], "c")


def test_values_become_classes(tmp_path: Path) -> None:
    values = ClassValues.parse("ground=0,cell=255", "128")
    file = save(tmp_path, [[0, 255, 128]])
    assert values.read(file).tolist() == [[0, 1, 255]]
    assert values.read(save(tmp_path, [[[255, 255, 255], [0, 0, 0]]])).tolist() == [[1, 0]]  # grey, saved as RGB
    with pytest.raises(MisuseError, match=r"mask\.png: 2 pixels hold 3, 4.*cell=255"):
        values.read(save(tmp_path, [[0, 3, 4]]))


def test_values_of_other_types_are_whole_numbers_within_range(tmp_path: Path) -> None:
    values = ClassValues.parse("ground=0,cell=300", "auto")
    path = tmp_path / "mask.npy"
    np.save(path, np.array([[0, 300, 255]], np.float32))
    assert values.read(FilePart(path)).tolist() == [[0, 1, 255]]
    for wrong in (0.5, -1, 70000, np.nan):
        np.save(path, np.array([[0, wrong]], np.float32))
        with pytest.raises(MisuseError, match=r"mask\.npy: 1 pixels hold"):
            values.read(FilePart(path))


def test_colours_and_lossy_files_are_refused(tmp_path: Path) -> None:
    values = ClassValues.parse("ground,cell", "auto")
    with pytest.raises(MisuseError, match=r"mask\.png: holds colours.*--data"):
        values.read(save(tmp_path, [[[255, 0, 0], [0, 0, 0]]]))
    with pytest.raises(MisuseError, match=r"mask\.jpg: JPEG"):
        values.read(save(tmp_path, [[0, 1]] * 8, ".jpg"))
