"""YOLO: a text file for each image, with a polygon in fractions of the image on each line."""

from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from segapp.datasets.annotations.annotations import Annotations
from segapp.datasets.annotations.entry import Entry
from segapp.datasets.annotations.fields import make_ring
from segapp.datasets.annotations.shapes import Polygons, sort_by_area
from segapp.errors import MisuseError
from segapp.system.text_files import read_text
from segapp.system.yaml_files import read_yaml

MAX_TEXT = 2**26
"""Bytes of the file of one image."""

FOLDERS_UP = 4
"""Where data.yaml is looked for: beside the labels, and in the folders above, labels/train being two of them."""


class Yolo(Annotations):
    """Labels of YOLO segmentation: `class x y x y …` on each line, in fractions of the image.

    The names of classes are those of the `names` in data.yaml (data.yml, dataset.yaml) beside the labels or above
    them; without such a file they are the numbers. Where objects overlap, the smaller one is above, as YOLO trains.

    Args:
        labels: Name in data.yaml, or number → class of the data set, `ignore`, or null to leave the shapes out. Names
            that are not listed are classes themselves.
    """

    suffixes = (".txt",)
    above = "the smaller one"
    other_files = ("classes.txt", "labels.txt", "readme.txt", "train.txt", "val.txt", "test.txt")

    def parse(self, path: Path) -> Iterator[Entry]:
        """Yield the one entry of a file; an empty file is of an image with nothing on it."""
        names = _find_names(path.parent)
        shapes: list[Polygons] = []
        skipped: Counter[str] = Counter()
        for number, line in enumerate(read_text(path, MAX_TEXT).splitlines(), start=1):
            where = f"{path}: line {number}"
            words = line.split()
            if len(words) == 5:
                skipped["boxes without an outline"] += 1
            elif words:
                shapes.append(_read_line(words, names, where))
        yield Entry("", sort_by_area(shapes), relative=True, skipped=skipped)


def _read_line(words: list[str], names: dict[str, str], where: str) -> Polygons:
    if len(words) < 7 or len(words) % 2 == 0:
        raise MisuseError(
            f"{where}: {len(words)} words; a class and three or more points 'x y' are expected "
            "(five words are the box of an object)."
        )
    try:
        label, values = str(int(words[0])), [float(word) for word in words[1:]]
    except ValueError as error:
        raise MisuseError(f"{where}: is not a class number and coordinates ({error}).") from error
    points = make_ring(values, where)
    if points.min() < -1 or points.max() > 2:
        raise MisuseError(f"{where}: a coordinate is {points.max():g}; they are fractions of the image, 0 … 1.")
    return Polygons(names.get(label, label), ((points,),))


def _find_names(folder: Path) -> dict[str, str]:
    """Return the class names by number; empty where no file beside the labels or above says them."""
    for place in (folder, *folder.absolute().parents)[:FOLDERS_UP]:
        for name in ("data.yaml", "data.yml", "dataset.yaml"):
            if (place / name).is_file() and not (place / name).is_symlink():
                return _read_names(place / name)
    return {}


@lru_cache(maxsize=8)
def _read_names(path: Path) -> dict[str, str]:
    content = read_yaml(path)
    names = content.get("names") if isinstance(content, dict) else None
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or not all(isinstance(name, str | int) for name in names.values()):
        raise MisuseError(f"{path}: has no 'names' of classes, as {{0: cat, 1: dog}}.")
    return {str(number): str(name) for number, name in names.items()}
