"""Checks of a GeoPackage before GDAL opens it: it is an SQLite database, which may come from an attacker."""

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Timer

from segapp.errors import MisuseError
from segapp.io.vectors.gdal import Layer
from segapp.io.vectors.limits import MAX_FEATURES, read_start

MAGIC = b"SQLite format 3\0"
APPLICATIONS = (b"GPKG", b"GP10", b"GP11")
"""At byte 68, of versions 1.2 and later, 1.0 and 1.1."""
MAX_TABLES = 10_000
SECONDS = 60
"""A damaged index may lead SQLite through the same pages without an end; counting takes a second for 512 MiB."""
AREAS = {"POLYGON", "MULTIPOLYGON", "CURVEPOLYGON", "SURFACE", "MULTISURFACE", "GEOMETRY", "GEOMETRYCOLLECTION"}
"""Kinds of geometry of layers that may hold areas."""


def open_geopackage(path: Path, layer: str) -> Layer:
    """Open a layer of `list_layers`; raise MisuseError for one that is computed, damaged or too large."""
    features = _count_features(path, layer)
    opened = Layer(path, "GPKG", layer, IMMUTABLE="YES")
    if opened.count != features:
        raise MisuseError(
            f"{path}: damaged, layer {layer!r} has {features:,} features and states {opened.count:,}; export it again."
        )
    return opened


def _require_geopackage(path: Path) -> None:
    """Raise MisuseError unless a file begins as a GeoPackage, is complete and no other program writes it."""
    start, size = read_start(path, 100)
    if start[:16] != MAGIC or start[68:72] not in APPLICATIONS:
        raise MisuseError(f"{path}: not a GeoPackage, by its first bytes; export it again, or correct its suffix.")
    changes, pages, valid_for = (struct.unpack_from(">I", start, offset)[0] for offset in (24, 28, 92))
    (page,) = struct.unpack_from(">H", start, 16)
    expected = pages * (65536 if page == 1 else page) if changes == valid_for else 0
    if size < expected:
        raise MisuseError(f"{path}: cut off, {size:,} bytes of {expected:,}; copy it again.")
    for ending in ("-wal", "-journal"):
        beside = path.with_name(path.name + ending)
        if beside.is_file() and beside.stat().st_size:
            raise MisuseError(f"{beside}: holds changes that are not in {path.name} yet; close QGIS or what writes it.")


def list_layers(path: Path) -> dict[str, bool]:
    """Return the names of the layers with a geometry, and whether they may hold areas.

    Raises MisuseError for a file that is no GeoPackage, or damaged.
    """
    _require_geopackage(path)
    with _open(path) as connection:
        columns = "SELECT table_name, upper(geometry_type_name) FROM gpkg_geometry_columns LIMIT ?"
        return {str(name): kind in AREAS for name, kind in connection.execute(columns, (MAX_TABLES,))}


def _count_features(path: Path, layer: str) -> int:
    """Count the features of a layer; raise MisuseError where it is computed, or larger than its file."""
    with _open(path) as connection:
        _require_stored(connection, path, layer)
        column = "SELECT column_name FROM gpkg_geometry_columns WHERE table_name = ?"
        (geometry,) = connection.execute(column, (layer,)).fetchone()
        table, geometry = _quote(layer), _quote(str(geometry))
        size = f"CASE typeof({geometry}) WHEN 'blob' THEN length({geometry}) ELSE 0 END"
        features, total = connection.execute(f"SELECT count(*), total({size}) FROM {table}").fetchone()
    if total > path.stat().st_size:
        raise MisuseError(f"{path}: damaged, the geometries of layer {layer!r} are larger than the file.")
    if features > MAX_FEATURES:
        raise MisuseError(
            f"{path}: layer {layer!r} has {features:,} features, and {MAX_FEATURES:,} at most are read; cut it to the "
            "surroundings of the images (ogr2ogr -clipsrc)."
        )
    return int(features)


def _require_stored(connection: sqlite3.Connection, path: Path, layer: str) -> None:
    """Raise MisuseError unless a layer is a table of stored columns.

    A view or a generated column is a program: it may run without an end.
    """
    kind = connection.execute("SELECT type, rootpage FROM sqlite_master WHERE name = ?", (layer,)).fetchone()
    if kind is None:
        raise MisuseError(f"{path}: damaged, layer {layer!r} is listed and not there.")
    hidden = connection.execute("SELECT count(*) FROM pragma_table_xinfo(?) WHERE hidden > 0", (layer,)).fetchone()[0]
    if kind[0] != "table" or not kind[1] or hidden:
        raise MisuseError(
            f"{path}: layer {layer!r} is computed by a view or a generated column, which is not run; export it as a "
            "table (QGIS: Export, Save Features As)."
        )


@contextmanager
def _open(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a database to read it, without any file beside it, for `SECONDS` at most."""
    address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(address, uri=True, check_same_thread=False)) as connection:
            timer = Timer(SECONDS, connection.interrupt)
            timer.daemon = True
            timer.start()
            try:
                tables = "SELECT name, type, rootpage FROM sqlite_master WHERE lower(name) LIKE 'gpkg%' LIMIT ?"
                for name, kind, page in connection.execute(tables, (MAX_TABLES,)):
                    if kind == "view" or (kind == "table" and not page):
                        raise MisuseError(f"{path}: {name} is computed instead of stored; export the file again.")
                yield connection
            finally:
                timer.cancel()
    except sqlite3.Error as error:
        raise MisuseError(f"{path}: damaged, or not a GeoPackage ({error}); export it again.") from error


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
