"""QuPath: a GeoJSON file for each image, in pixels of its full resolution."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from segapp.datasets.annotations.annotations import Annotations
from segapp.datasets.annotations.entry import Entry
from segapp.datasets.annotations.fields import Fields, make_points, read_json, show
from segapp.datasets.annotations.shapes import Polygons
from segapp.errors import MisuseError

NO_AREAS = {"Point": "points", "MultiPoint": "points", "LineString": "lines", "MultiLineString": "lines"}
MAX_DEPTH = 16
"""Collections inside each other."""


class QuPath(Annotations):
    """Objects of QuPath, exported as GeoJSON: polygons with holes; later ones are above earlier ones.

    The name of a shape is that of its classification, and empty where it has none.

    Args:
        labels: Name in the files → class of the data set, `ignore`, or null to leave the shapes out. Names that are not
            listed are classes themselves.
    """

    suffixes = (".geojson", ".json")

    def parse(self, path: Path) -> Iterator[Entry]:
        """Yield the one entry of a file: a collection, a list of features, a feature or a bare geometry."""
        content = read_json(path)
        shapes: list[Polygons] = []
        skipped: Counter[str] = Counter()
        for number, feature in enumerate(content if isinstance(content, list) else [content], start=1):
            _read_object(Fields(feature, f"{path}: feature {number}"), "", shapes, skipped, 0)
        yield Entry("", tuple(shapes), skipped=skipped)


def _read_object(found: Fields, label: str, shapes: list[Polygons], skipped: Counter[str], depth: int) -> None:
    """Add the areas of a GeoJSON object, whatever its kind."""
    kind = found.text("type")
    if depth > MAX_DEPTH:
        raise MisuseError(f"{found.where}: more than {MAX_DEPTH} collections inside each other.")
    if kind == "FeatureCollection":
        for feature in found.objects("features"):
            _read_object(feature, label, shapes, skipped, depth + 1)
    elif kind == "Feature":
        _read_object(found.fields("geometry"), _find_label(found), shapes, skipped, depth + 1)
    elif kind == "GeometryCollection":
        for geometry in found.objects("geometries"):
            _read_object(geometry, label, shapes, skipped, depth + 1)
    elif kind in NO_AREAS:
        skipped[NO_AREAS[kind]] += 1
    elif kind in ("Polygon", "MultiPolygon"):
        polygons = found.list("coordinates") if kind == "MultiPolygon" else [found.list("coordinates")]
        parts = tuple(_read_polygon(polygon, found.where) for polygon in polygons)
        if parts:
            shapes.append(Polygons(label, parts))
    else:
        raise MisuseError(f"{found.where}: {kind!r} is no GeoJSON that is known here.")


def _find_label(feature: Fields) -> str:
    """Return the name of a feature's classification; empty where it has none."""
    properties = feature.values.get("properties")
    given = properties.get("classification") if isinstance(properties, dict) else None
    if isinstance(given, dict):
        given = given.get("name")
    return given if isinstance(given, str) else ""


def _read_polygon(rings: object, where: str) -> tuple[np.ndarray, ...]:
    """Return the outer ring and the holes."""
    if not isinstance(rings, list) or not rings:
        raise MisuseError(f"{where}: a polygon should be a list of rings.")
    return tuple(_read_ring(ring, where) for ring in rings)


def _read_ring(ring: object, where: str) -> np.ndarray:
    """Return the x, y of a ring; a third coordinate is left out."""
    if not isinstance(ring, list):
        raise MisuseError(f"{where}: a ring should be a list of points, found {show(ring)}.")
    return make_points([point[:2] if isinstance(point, list) else point for point in ring], where)
