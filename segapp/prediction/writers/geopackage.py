"""Polygons of the regions, as GeoPackage."""

from pathlib import Path

import numpy as np

from segapp.io.vectors import import_pyogrio, pack_polygon, write_polygons
from segapp.prediction.polygons import find_regions, make_properties, place_rings
from segapp.prediction.writers.regions import RegionWriter

LAYER = "regions"
COLUMNS: dict[str, type] = {"class": object, "index": np.int64, "pixels": np.int64}
"""The properties of a region and their types, which a file without regions has too."""


class GeoPackageWriter(RegionWriter):
    """A GeoPackage with a polygon for every region, in the layer `regions`."""

    name = "geopackage"
    help = "GeoPackage polygons of every region"

    @classmethod
    def require_library(cls) -> None:
        """Raise MisuseError where pyogrio is not installed."""
        import_pyogrio(f"--save {cls.name}")

    @classmethod
    def choose_suffix(cls, image: Path) -> str:
        """Return `.gpkg`."""
        return ".gpkg"

    def finish(self, mask: np.ndarray) -> None:
        """Write the polygons, in the image's coordinate system or, without one, in pixels."""
        spec = self.image.spec
        regions = list(find_regions(mask, spec))
        polygons = [pack_polygon(place_rings(region, self.affine)) for region in regions]
        rows = [make_properties(region, spec) for region in regions]
        columns: dict[str, np.ndarray] = {
            name: np.array([row[name] for row in rows], kind) for name, kind in COLUMNS.items()
        }
        write_polygons(self.path, "GPKG", LAYER, polygons, columns, self.image.meta.get("crs"))
