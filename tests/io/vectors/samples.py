"""Small GeoPackages and Shapefiles, written with pyogrio."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import shapely

DRIVERS = {".gpkg": "GPKG", ".shp": "ESRI Shapefile"}
BOX = shapely.box(0, 0, 2, 1)


def write_vectors(
    path: Path,
    shapes: Sequence[Any] = (BOX,),
    fields: Mapping[str, Sequence[Any]] | None = None,
    crs: str = "EPSG:32633",
    kind: str = "Polygon",
    **settings: Any,
) -> Path:
    """Write shapes of shapely, None for one that is missing, with their properties."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {name: np.array(values) for name, values in (fields or {"kind": ["cat"] * len(shapes)}).items()}
    pyogrio.raw.write(
        path,
        np.array([None if shape is None else shapely.to_wkb(shape) for shape in shapes] + [None], object)[:-1],
        [values.astype(object) if values.dtype.kind == "U" else values for values in columns.values()],
        list(columns),
        driver=DRIVERS[path.suffix],
        geometry_type=kind,
        crs=crs,
        **settings,
    )
    return path


def change(path: Path, *statements: str) -> Path:
    """Run SQL on a GeoPackage, without the triggers that need functions of GDAL."""
    with closing(sqlite3.connect(path)) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f'DROP TRIGGER "{name}"')
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    return path


def add_layer(path: Path, name: str, table: str) -> Path:
    """Register another layer of the geometry column of the first, made by a statement such as `VIEW v AS …`."""
    return change(
        path,
        f"CREATE {table}",
        f"INSERT INTO gpkg_contents SELECT '{name}', data_type, '{name}', description, last_change, min_x, min_y, "
        "max_x, max_y, srs_id FROM gpkg_contents LIMIT 1",
        f"INSERT INTO gpkg_geometry_columns SELECT '{name}', column_name, 'POINT', srs_id, z, m FROM "
        "gpkg_geometry_columns LIMIT 1",
    )


def overwrite(path: Path, offset: int, new: bytes) -> Path:
    """Replace bytes of a file."""
    content = bytearray(path.read_bytes())
    content[offset : offset + len(new)] = new
    path.write_bytes(content)
    return path
