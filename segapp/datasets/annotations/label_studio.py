"""Label Studio: one JSON file of tasks for all images."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segapp.datasets.annotations.annotations import Annotations
from segapp.datasets.annotations.brush import decode_brush
from segapp.datasets.annotations.entry import Entry
from segapp.datasets.annotations.fields import Fields, make_points, read_json
from segapp.datasets.annotations.shapes import (
    Polygons,
    Shape,
    Window,
    make_ellipse,
    make_rotated_box,
    require_drawable,
)
from segapp.errors import MisuseError
from segapp.io import find_suffix

GEOMETRY = {"rectangle": "width", "ellipse": "radiusX", "polygon": "points", "brush": "rle"}
"""Kind of area → the key that only it has; a key point has a width too, but no height."""


@dataclass(frozen=True, slots=True)
class Brush(Shape):
    """A brush mask of the size of its image."""

    size: tuple[int, int]
    content: bytes

    @property
    def bounds(self) -> Window:
        """The whole image."""
        return Window(0, 0, *self.size)

    @property
    def outline(self) -> float:
        """About the number of its runs, which are decoded one by one."""
        return len(self.content) / 2

    def cover(self, window: Window) -> np.ndarray:
        """Return (h, w) bool; MisuseError for an image too large to decode whole."""
        require_drawable(*self.size)
        return decode_brush(self.content, *self.size)[window.y : window.y + window.h, window.x : window.x + window.w]


class LabelStudio(Annotations):
    """Tasks of Label Studio, exported as JSON (not JSON-MIN): rectangles, ellipses, polygons and brush masks.

    Of several annotations of a task the first that was not skipped counts, and later regions are above earlier ones.

    Args:
        labels: Name in the file → class of the data set, `ignore`, or null to leave the shapes out. Names that are not
            listed are classes themselves.
    """

    suffixes = (".json",)

    def parse(self, path: Path) -> Iterator[Entry]:
        """Yield the entry of each task."""
        content = read_json(path)
        for number, task in enumerate(content if isinstance(content, list) else [content], start=1):
            yield _read_task(Fields(task, f"{path}: task {number}"))


def _read_task(task: Fields) -> Entry:
    if "annotations" not in task.values and "completions" not in task.values:
        raise MisuseError(f"{task.where}: has no 'annotations'; export as JSON, not as JSON-MIN.")
    annotations = task.objects("annotations" if "annotations" in task.values else "completions")
    chosen = next((one for one in annotations if not one.values.get("was_cancelled")), None)
    regions: dict[str, list[Fields]] = {}
    for number, result in enumerate(chosen.objects("result") if chosen else (), start=1):
        if isinstance(result.values.get("value"), dict):  # a relation has none
            regions.setdefault(str(result.values.get("id", f"result {number}")), []).append(result)
    shapes: list[Shape] = []
    skipped: Counter[str] = Counter()
    sizes = {size for results in regions.values() if (size := results[0].size("original_height", "original_width"))}
    if len(sizes) > 1:
        raise MisuseError(f"{task.where}: its regions are of images of different sizes, {sorted(sizes)}.")
    size = next(iter(sizes), None)
    for results in regions.values():
        shape = _read_region(results, size)
        if shape is None:
            skipped["points and others"] += 1
        else:
            shapes.append(shape)
    return Entry(_find_name(task), tuple(shapes), size, relative=True, skipped=skipped)


def _find_name(task: Fields) -> str:
    """Return the name or address of a task's image: the value `image`, else the first that is named like one."""
    data: Any = task.values.get("data")
    data = data if isinstance(data, dict) else {}
    texts = [value for value in (data.get("image"), *data.values()) if isinstance(value, str)]
    named = [text for text in texts if find_suffix(Path(text.partition("?d=")[0].partition("?")[0] or text))]
    upload = task.values.get("file_upload")
    return next(iter([*named, *texts]), upload if isinstance(upload, str) else "")


def _read_region(results: list[Fields], size: tuple[int, int] | None) -> Shape | None:
    """Return the area of one region, whose geometry and labels may be two results; None for a point or a line."""
    values = [result.fields("value") for result in results]
    labels = [name for value in values for key in value.values if (name := _join_labels(key, value)) is not None]
    label = labels[0] if labels else ""
    for value in values:
        for kind, key in GEOMETRY.items():
            if key in value.values and (kind != "rectangle" or "height" in value.values):
                return _make_shape(kind, label, value, size)
    return None


def _join_labels(key: str, value: Fields) -> str | None:
    """Return the names under a key such as `labels`, `polygonlabels` or `brushlabels`; None under another."""
    names = value.values[key]
    if not key.endswith("labels") or not isinstance(names, list):
        return None
    return ", ".join(str(name) for name in names)


def _make_shape(kind: str, label: str, value: Fields, size: tuple[int, int] | None) -> Shape:
    """Return an area; its coordinates are fractions of the image."""
    if kind == "brush":
        return _make_brush(label, value, size)
    if kind == "polygon":
        points = make_points(value.list("points"), value.where)
        if len(points) < 3:
            raise MisuseError(f"{value.where}: a polygon of {len(points)} points.")
        return Polygons(label, ((points / 100,),))
    degrees = value.number("rotation", 0)
    if degrees and size is None:
        raise MisuseError(f"{value.where}: is rotated, but the file has no 'original_width'; export it again.")
    extent = np.array([size[1], size[0]]) / 100 if size else np.ones(2)  # per cent → pixels, in which angles are true
    corner = np.array([value.number("x"), value.number("y")]) * extent
    if kind == "ellipse":
        radii = np.array([value.number("radiusX"), value.number("radiusY")]) * extent
        ring = make_ellipse((corner[0], corner[1]), (radii[0], radii[1]), degrees)
    else:
        sides = np.array([value.number("width"), value.number("height")]) * extent
        ring = make_rotated_box(corner[0], corner[1], sides[0], sides[1], degrees, (corner[0], corner[1]))
    return Polygons(label, ((ring / (extent * 100),),))


def _make_brush(label: str, value: Fields, size: tuple[int, int] | None) -> Brush:
    if value.values.get("format") != "rle" or size is None:
        raise MisuseError(f"{value.where}: a brush mask needs the format 'rle' and 'original_width'; export it again.")
    try:
        return Brush(label, size, bytes(value.list("rle")))
    except (TypeError, ValueError) as error:
        raise MisuseError(f"{value.where}: 'rle' should be bytes, 0 … 255 ({error}).") from error
