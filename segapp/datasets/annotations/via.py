"""VGG Image Annotator: one JSON file for all images."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from segapp.datasets.annotations.annotations import Annotations
from segapp.datasets.annotations.entry import Entry
from segapp.datasets.annotations.fields import Fields, make_points, read_json
from segapp.datasets.annotations.shapes import Polygons, make_ellipse, make_rotated_box
from segapp.errors import MisuseError

NO_AREAS = {"point": "points", "polyline": "lines", "line": "lines"}


class Via(Annotations):
    """Annotations of the VGG Image Annotator, versions 1 and 2: polygons, rectangles, circles and ellipses.

    Later regions are above earlier ones.

    Args:
        attribute: The attribute of regions that holds the class. Default: the only one; a region without any has an
            empty name.
        labels: Name in the file → class of the data set, `ignore`, or null to leave the shapes out. Names that are not
            listed are classes themselves.
    """

    suffixes = (".json",)

    def __init__(self, attribute: str | None = None, labels: dict[str, str | None] | None = None) -> None:
        super().__init__(labels)
        self.attribute = attribute

    def parse(self, path: Path) -> Iterator[Entry]:
        """Yield the entry of each image, in an export of annotations or in a saved project."""
        content = Fields(read_json(path), str(path))
        project = "_via_img_metadata" in content.values
        images = content.fields("_via_img_metadata") if project else content
        for key in images.values:
            image = images.fields(key)
            shapes: list[Polygons] = []
            skipped: Counter[str] = Counter()
            for region in _list_regions(image):
                shape = region.fields("shape_attributes")
                kind = shape.text("name")
                if kind in NO_AREAS:
                    skipped[NO_AREAS[kind]] += 1
                else:
                    shapes.append(Polygons(self._find_label(region), ((_make_ring(shape, kind),),)))
            yield Entry(image.text("filename"), tuple(shapes), skipped=skipped)

    def _find_label(self, region: Fields) -> str:
        attributes = region.values.get("region_attributes") or {}
        names = Fields(attributes, f"{region.where}: 'region_attributes'")
        if not attributes:
            return ""
        if self.attribute is None and len(attributes) > 1:
            listed = ", ".join(map(repr, attributes))
            raise MisuseError(f"{names.where}: hold {listed}; say which is the class with mask.attribute.")
        key = self.attribute if self.attribute is not None else next(iter(attributes))
        value = attributes.get(key, "")
        if isinstance(value, dict):  # check boxes
            value = ", ".join(str(name) for name, is_set in value.items() if is_set)
        return str(value)


def _list_regions(image: Fields) -> Iterator[Fields]:
    """Yield the regions: a list in version 2, numbered in version 1."""
    regions = image.values.get("regions")
    if isinstance(regions, list):
        yield from image.objects("regions")
    else:
        numbered = image.fields("regions")
        yield from (numbered.fields(number) for number in numbered.values)


def _make_ring(shape: Fields, kind: str) -> np.ndarray:
    if kind == "polygon":
        x, y = shape.list("all_points_x"), shape.list("all_points_y")
        if len(x) != len(y) or len(x) < 3:
            raise MisuseError(f"{shape.where}: a polygon of {len(x)} x and {len(y)} y.")
        return make_points(list(zip(x, y, strict=True)), shape.where)
    if kind == "rect":
        left, top, width, height = (shape.number(key) for key in ("x", "y", "width", "height"))
        return make_rotated_box(left, top, width, height, 0, (left, top))
    if kind == "circle":
        return make_ellipse((shape.number("cx"), shape.number("cy")), (shape.number("r"), shape.number("r")))
    if kind == "ellipse":
        radii = shape.number("rx"), shape.number("ry")
        degrees = np.rad2deg(shape.number("theta", 0))
        return make_ellipse((shape.number("cx"), shape.number("cy")), radii, float(degrees))
    raise MisuseError(f"{shape.where}: a {kind!r} is no shape that is known here.")
