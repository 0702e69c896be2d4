"""The areas of a GeoJSON file, in whatever units its coordinates are."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from segapp.datasets.annotations.fields import MAX_COORDINATE, Fields, make_points, read_json, show
from segapp.datasets.annotations.shapes import Polygons
from segapp.errors import MisuseError

NO_AREAS = {"Point": "points", "MultiPoint": "points", "LineString": "lines", "MultiLineString": "lines"}
WITHOUT = "features without a geometry"
"""Those whose geometry is null, or empty, which is the same (RFC 7946, 3.1)."""
MAX_DEPTH = 16
"""Collections inside each other."""


class GeoJsonFile:
    """A parsed GeoJSON file: a collection, a list of features, a feature or a bare geometry.

    Attributes:
        path: The file.
        shapes: Polygons in the order of the file.
        skipped: What is no area, as points → how many.
        crs: The `crs` member of the file, which older files have; None where it has none.
    """

    def __init__(self, path: Path, find_label: Callable[[Fields], str], largest: float = MAX_COORDINATE) -> None:
        """Parse a file; raise MisuseError for a damaged one.

        Args:
            path: The file.
            find_label: Returns the class name of a feature.
            largest: The largest coordinate.
        """
        self.path, self._find_label, self._largest = path, find_label, largest
        self.shapes: list[Polygons] = []
        self.skipped: Counter[str] = Counter()
        content = read_json(path)
        self.crs: object = content.get("crs") if isinstance(content, dict) else None
        for number, feature in enumerate(content if isinstance(content, list) else [content], start=1):
            self._read_object(Fields(feature, f"{path}: feature {number}"), "", 0)

    def _read_object(self, found: Fields, label: str, depth: int) -> None:
        """Add the areas of a GeoJSON object, whatever its kind."""
        kind = found.text("type")
        if depth > MAX_DEPTH:
            raise MisuseError(f"{found.where}: more than {MAX_DEPTH} collections inside each other.")
        if kind == "FeatureCollection":
            for feature in found.objects("features"):
                self._read_object(feature, label, depth + 1)
        elif kind == "Feature":
            label = self._find_label(found)
            if "geometry" in found.values and found.values["geometry"] is None:
                self.skipped[WITHOUT] += 1
            else:
                self._read_object(found.fields("geometry"), label, depth + 1)
        elif kind == "GeometryCollection":
            for geometry in found.objects("geometries"):
                self._read_object(geometry, label, depth + 1)
        elif kind in NO_AREAS:
            self.skipped[NO_AREAS[kind]] += 1
        elif kind in ("Polygon", "MultiPolygon"):
            polygons = found.list("coordinates") if kind == "MultiPolygon" else [found.list("coordinates")]
            if parts := tuple(self._read_polygon(polygon, found.where) for polygon in polygons if polygon != []):
                self.shapes.append(Polygons(label, parts))
            else:
                self.skipped[WITHOUT] += 1
        else:
            raise MisuseError(f"{found.where}: {kind!r} is no GeoJSON that is known here.")

    def _read_polygon(self, rings: object, where: str) -> tuple[np.ndarray, ...]:
        """Return the outer ring and the holes."""
        if not isinstance(rings, list) or not rings:
            raise MisuseError(f"{where}: a polygon should be a list of rings.")
        return tuple(self._read_ring(ring, where) for ring in rings)

    def _read_ring(self, ring: object, where: str) -> np.ndarray:
        """Return the x, y of a ring; a third coordinate is left out."""
        if not isinstance(ring, list):
            raise MisuseError(f"{where}: a ring should be a list of points, found {show(ring)}.")
        points = [point[:2] if isinstance(point, list) else point for point in ring]
        return make_points(points, where, self._largest)
