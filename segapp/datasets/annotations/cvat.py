"""CVAT for images 1.1: one XML file for all images."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.parsers import expat

import numpy as np

from segapp.datasets.annotations.annotations import Annotations
from segapp.datasets.annotations.entry import Entry
from segapp.datasets.annotations.fields import check_number, make_points, make_window
from segapp.datasets.annotations.shapes import Polygons, Runs, Shape, make_ellipse, make_rotated_box
from segapp.errors import MisuseError
from segapp.system.regular_files import read_regular

MAX_XML = 2**29
"""Bytes of a file."""

MAX_DEPTH = 64
"""Elements inside each other."""

NO_AREAS = {"points": "points", "polyline": "lines", "skeleton": "skeletons", "cuboid": "cuboids"}


class Cvat(Annotations):
    """Annotations of "CVAT for images 1.1": polygons, boxes, ellipses and masks, drawn by `z_order`.

    Args:
        labels: Name in the file → class of the data set, `ignore`, or null to leave the shapes out. Names that are not
            listed are classes themselves.
    """

    suffixes = (".xml",)
    above = "the one with the higher z_order"

    def parse(self, path: Path) -> Iterator[Entry]:
        """Yield the entry of each image; images without shapes have nothing on them."""
        content = read_regular(path, MAX_XML)
        if not content.strip():
            raise MisuseError(f"{path}: is empty; export the annotations again.")
        reader = _Reader(path)
        try:
            reader.parser.Parse(content, True)
        except expat.ExpatError as error:
            raise MisuseError(f"{path}: not XML, or cut off ({error}).") from error
        yield from reader.entries


class _Reader:
    """Handles the elements of a file one after the other; a document type, which may declare entities, is refused."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: list[Entry] = []
        self._open: list[str] = []
        self._image: Mapping[str, str] = {}
        self._shapes: list[tuple[int, Shape]] = []
        self._skipped: Counter[str] = Counter()
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.StartDoctypeDeclHandler = self._refuse_document_type

    def _refuse_document_type(self, *declaration: object) -> None:
        raise MisuseError(
            f"{self.path}: declares a document type (DOCTYPE), which may hold entities and defaults; CVAT writes "
            "none, so it is not read."
        )

    def _start(self, kind: str, attributes: dict[str, str]) -> None:
        if not self._open and kind != "annotations":
            raise MisuseError(f"{self.path}: XML of {kind!r}; 'annotations' of CVAT for images 1.1 are expected.")
        self._open.append(kind)
        if len(self._open) > MAX_DEPTH:
            raise MisuseError(f"{self.path}: more than {MAX_DEPTH} elements inside each other.")
        if self._open[1:] == ["track"]:
            raise MisuseError(f"{self.path}: tracks of a video; export the task as 'CVAT for images 1.1'.")
        if self._open[1:] == ["image"]:
            self._image, self._shapes, self._skipped = attributes, [], Counter()
        elif len(self._open) == 3 and self._open[1] == "image":
            self._add(kind, attributes)

    def _end(self, kind: str) -> None:
        if self._open[1:] == ["image"]:
            where = f"{self.path}: image {self._image.get('name')!r}"
            size = tuple(int(check_number(self._image.get(side), f"{where}: {side!r}")) for side in ("height", "width"))
            ordered = tuple(shape for _, shape in sorted(self._shapes, key=lambda pair: pair[0]))
            self.entries.append(Entry(self._image.get("name", ""), ordered, (size[0], size[1]), skipped=self._skipped))
        self._open.pop()

    def _add(self, kind: str, attributes: Mapping[str, str]) -> None:
        where = f"{self.path}: image {self._image.get('name')!r}: {kind}"
        if kind in NO_AREAS:
            self._skipped[NO_AREAS[kind]] += 1
        elif kind in ("polygon", "box", "ellipse", "mask"):
            values = _Attributes(attributes, where)
            order = int(check_number(attributes.get("z_order", 0), f"{where}: 'z_order'"))
            self._shapes.append((order, _make_shape(kind, values)))


class _Attributes:
    """The attributes of one shape."""

    def __init__(self, values: Mapping[str, str], where: str) -> None:
        self.values, self.where = values, where

    def numbers(self, *names: str) -> list[float]:
        """Return the numbers under these names; MisuseError where one is missing."""
        return [check_number(self.values.get(name), f"{self.where}: {name!r}") for name in names]


def _make_shape(kind: str, found: _Attributes) -> Shape:
    label = found.values.get("label", "")
    if kind == "mask":
        return _make_mask(label, found)
    degrees = check_number(found.values.get("rotation", 0), f"{found.where}: 'rotation'")
    if kind == "box":
        left, top, right, bottom = found.numbers("xtl", "ytl", "xbr", "ybr")
        centre = (left + right) / 2, (top + bottom) / 2
        ring = make_rotated_box(left, top, right - left, bottom - top, degrees, centre)
    elif kind == "ellipse":
        x, y, rx, ry = found.numbers("cx", "cy", "rx", "ry")
        ring = make_ellipse((x, y), (rx, ry), degrees)
    else:
        pairs = [pair.split(",") for pair in found.values.get("points", "").split(";")]
        ring = make_points(pairs, found.where)
        if len(ring) < 3:
            raise MisuseError(f"{found.where}: a polygon of {len(ring)} points.")
    return Polygons(label, ((ring,),))


def _make_mask(label: str, found: _Attributes) -> Runs:
    left, top, width, height = found.numbers("left", "top", "width", "height")
    try:
        counts = np.array([int(word) for word in found.values.get("rle", "").split(",")], np.int64)
    except (ValueError, OverflowError) as error:
        raise MisuseError(f"{found.where}: 'rle' should be whole numbers ({error}).") from error
    return Runs(label, make_window(top, left, height, width, found.where), counts, by_rows=True)
