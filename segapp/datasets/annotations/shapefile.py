"""Shapefiles."""

from collections.abc import Sequence
from pathlib import Path

from segapp.datasets.annotations.map_shapes import FindLabel, MapFile, MapShapes
from segapp.datasets.annotations.vector_areas import read_areas
from segapp.errors import MisuseError
from segapp.io.vectors import open_shapefile


class Shapefile(MapShapes):
    """Areas of Shapefiles, painted on the grid of every georeferenced image that they lie on.

    The `.shx` and `.dbf` files lie beside the `.shp`, and the `.prj` with the coordinate system. Pixels whose centre
    lies inside are covered; later features in the file are above earlier ones. Pixels that the image marks as not
    measured (nodata) are ignored. One file may be of many images.

    Args:
        labels: Name in the files → class of the data set, `ignore`, or null to leave the shapes out. Names that are not
            listed are classes themselves.
        class_field: The property of a feature that holds the name of its class. Default: all have the empty name, as
            in labels: {"": building}.
        crs: The coordinate system of files without a `.prj`, as EPSG:32633.
    """

    suffixes = (".shp",)

    def read(self, path: Path, find_label: FindLabel, fields: Sequence[str] | None) -> MapFile:
        """Read the areas of a file."""
        return read_areas(open_shapefile(path), find_label, fields)

    def _find_crs(self, found: MapFile) -> str:
        if found.crs is None and self.crs is None:
            raise MisuseError(
                f"{found.path.with_suffix('.prj')}: is missing or names no coordinate system; copy it beside the "
                "others, or set mask.crs to the one of the coordinates, as EPSG:32633."
            )
        return super()._find_crs(found)
