"""Files of polygons on maps, read and written with GDAL: GeoPackages and Shapefiles."""

from segapp.io.vectors.gdal import Layer, import_pyogrio, write_polygons
from segapp.io.vectors.geopackage import list_layers, open_geopackage
from segapp.io.vectors.limits import MAX_POINTS
from segapp.io.vectors.shapefile import open_shapefile
from segapp.io.vectors.wkb import WkbError, pack_polygon, unpack_areas

__all__ = [
    "Layer",
    "list_layers",
    "open_geopackage",
    "open_shapefile",
    "write_polygons",
    "import_pyogrio",
    "unpack_areas",
    "pack_polygon",
    "WkbError",
    "MAX_POINTS",
]
