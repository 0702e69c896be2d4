"""Supervisely: a JSON file for each image, named after the image with its suffix."""

import base64
import binascii
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from segapp.datasets.annotations.annotations import Annotations
from segapp.datasets.annotations.entry import Entry
from segapp.datasets.annotations.fields import Fields, make_points, make_window, read_json
from segapp.datasets.annotations.shapes import (
    Bitmap,
    Shape,
    Window,
    bound_points,
    measure_outline,
    require_drawable,
)
from segapp.errors import MisuseError
from segapp.io import read_png_size

NO_AREAS = {"point": "points", "line": "lines", "polyline": "lines", "graph": "key points", "cuboid": "cuboids"}

MAX_BYTES_PER_PIXEL = 5
"""Of a PNG: four channels, and what their compression adds at worst."""
PNG_OVERHEAD = 2**16


@dataclass(frozen=True, slots=True)
class Filled(Shape):
    """A polygon of whole pixels with its border, less holes with theirs, as Supervisely draws it."""

    outer: np.ndarray
    holes: tuple[np.ndarray, ...] = ()

    @property
    def bounds(self) -> Window:
        """The rectangle around the outer ring."""
        return bound_points(self.outer)

    @property
    def outline(self) -> float:
        """Pixels along all rings."""
        return sum(map(measure_outline, (self.outer, *self.holes)))

    def cover(self, window: Window) -> np.ndarray:
        """Return (h, w) bool, drawn from the ring's corner on, so that a window has the pixels of the whole."""
        outer = np.rint(self.outer).astype(np.int32)
        left, top = np.maximum(outer.min(0), 0).tolist()
        height, width = max(1, window.y + window.h - top), max(1, window.x + window.w - left)
        require_drawable(height, width)
        canvas = np.zeros((height, width), np.uint8)
        cv2.fillPoly(canvas, [outer - (left, top)], (1,))
        for hole in self.holes:
            cv2.fillPoly(canvas, [np.rint(hole).astype(np.int32) - (left, top)], (0,))
        covered = np.zeros((window.h, window.w), bool)
        seen = window.intersect(Window(top, left, *canvas.shape))
        part = canvas[seen.y - top : seen.y - top + seen.h, seen.x - left : seen.x - left + seen.w]
        covered[seen.y - window.y :, seen.x - window.x :][: seen.h, : seen.w] = part
        return covered


class Supervisely(Annotations):
    """Annotations of Supervisely: polygons with holes, rectangles and bitmaps; later ones are above earlier ones.

    A folder under `masks`, such as `ds0/ann`, holds a file such as `a.jpg.json` for the image `a.jpg`.

    Args:
        labels: Name in the files → class of the data set, `ignore`, or null to leave the shapes out. Names that are not
            listed are classes themselves.
    """

    suffixes = (".json",)
    other_files = ("meta.json", "obj_class_to_machine_color.json")
    file_name = "{parent}/{file}.json"

    def parse(self, path: Path) -> Iterator[Entry]:
        """Yield the one entry of a file."""
        content = Fields(read_json(path), str(path))
        shapes: list[Shape] = []
        skipped: Counter[str] = Counter()
        for found in content.objects("objects"):
            kind = found.text("geometryType") if "geometryType" in found.values else found.text("shape", "")
            if kind in NO_AREAS:
                skipped[NO_AREAS[kind]] += 1
            else:
                shapes.append(_read_shape(found, kind))
        yield Entry("", tuple(shapes), content.fields("size").size("height", "width"), skipped=skipped)


def _read_shape(found: Fields, kind: str) -> Shape:
    label = found.text("classTitle")
    if kind == "bitmap":
        return _read_bitmap(found.fields("bitmap"), label)
    if kind not in ("polygon", "rectangle"):
        raise MisuseError(f"{found.where}: a {kind!r} is no shape that is known here.")
    points = found.fields("points")
    outer = make_points(points.list("exterior"), found.where)
    if kind == "rectangle":
        (left, top), (right, bottom) = outer.min(0), outer.max(0)
        return Filled(label, np.array([(left, top), (right, top), (right, bottom), (left, bottom)]))
    holes = [] if points.values.get("interior") is None else points.list("interior")
    return Filled(label, outer, tuple(make_points(hole, f"{found.where}: 'interior'") for hole in holes))


def _read_bitmap(found: Fields, label: str) -> "Compressed":
    try:
        data = base64.b64decode(found.text("data"), validate=True)
        height, width = read_png_size(zlib.decompressobj().decompress(data, 64))
    except (binascii.Error, ValueError, zlib.error, MisuseError) as error:
        raise MisuseError(f"{found.where}: 'data' holds no compressed PNG ({error}).") from error
    left, top = make_points([found.list("origin")], found.where)[0].tolist()
    return Compressed(label, make_window(top, left, height, width, found.where), data)


@dataclass(frozen=True, slots=True)
class Compressed(Bitmap):
    """A PNG that zlib compressed once more."""

    def cover(self, window: Window) -> np.ndarray:
        """Return (h, w) bool; MisuseError for damage, and for more bytes than such a PNG can have."""
        unpacked = zlib.decompressobj()
        most = self.box.h * self.box.w * MAX_BYTES_PER_PIXEL + PNG_OVERHEAD
        try:
            png = unpacked.decompress(self.png, most)
        except zlib.error as error:
            raise MisuseError(f"a bitmap is damaged ({error})") from error
        if unpacked.unconsumed_tail:
            raise MisuseError(f"a bitmap of {self.box.h} x {self.box.w} pixels has more than {most:,} bytes")
        return Bitmap(self.label, self.box, png).cover(window)
