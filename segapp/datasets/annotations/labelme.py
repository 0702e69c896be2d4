"""LabelMe: a JSON file beside each image."""

import base64
import binascii
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from segapp.datasets.annotations.annotations import Annotations
from segapp.datasets.annotations.entry import Entry
from segapp.datasets.annotations.fields import Fields, make_points, make_window, read_json
from segapp.datasets.annotations.shapes import Bitmap, Outline, Shape
from segapp.errors import MisuseError
from segapp.io import read_png_size

POLYGONS = ("polygon", "oriented_rectangle")
NO_AREAS = {"point": "points", "points": "points", "line": "lines", "linestrip": "lines"}


class LabelMe(Annotations):
    """Annotations of LabelMe: polygons, rectangles, circles and masks, drawn as LabelMe draws them.

    Args:
        labels: Name in the files → class of the data set, `ignore`, or null to leave the shapes out. Names that are not
            listed are classes themselves.
    """

    suffixes = (".json",)

    def parse(self, path: Path) -> Iterator[Entry]:
        """Yield the one entry of a file."""
        content = Fields(read_json(path), str(path))
        shapes: list[Shape] = []
        skipped: Counter[str] = Counter()
        for shape in content.objects("shapes"):
            kind = shape.text("shape_type", "polygon")
            if kind in NO_AREAS:
                skipped[NO_AREAS[kind]] += 1
            else:
                shapes.append(_read_shape(shape, kind))
        yield Entry("", tuple(shapes), content.size("imageHeight", "imageWidth"), skipped=skipped)


def _read_shape(shape: Fields, kind: str) -> Shape:
    label, points = shape.text("label"), make_points(shape.list("points"), shape.where)
    if kind in POLYGONS and len(points) > 2:
        return Outline(label, "polygon", points)
    if kind in ("rectangle", "circle", "mask") and len(points) == 2:
        if kind == "rectangle":
            return Outline(label, "rectangle", points)
        if kind == "mask":
            return _read_mask(shape, label, points)
        radius = float(np.hypot(*(points[1] - points[0])))
        return Outline(label, "ellipse", np.array([points[0] - radius, points[0] + radius]))
    raise MisuseError(f"{shape.where}: a {kind!r} of {len(points)} points is no shape that is known here.")


def _read_mask(shape: Fields, label: str, points: np.ndarray) -> Bitmap:
    try:
        png = base64.b64decode(shape.text("mask"), validate=True)
        height, width = read_png_size(png)
    except (binascii.Error, ValueError, MisuseError) as error:
        raise MisuseError(f"{shape.where}: 'mask' holds no PNG ({error}).") from error
    left, top = points.min(0).tolist()
    return Bitmap(label, make_window(int(top), int(left), height, width, shape.where), png)
