"""Checks of a Shapefile before GDAL opens it: its files, their lengths and the sizes of its shapes.

The layout is that of the ESRI Shapefile Technical Description (1998).
"""

import codecs
import struct
from pathlib import Path

import numpy as np

from segapp.errors import MisuseError
from segapp.io.vectors.gdal import Layer
from segapp.io.vectors.limits import MAX_FEATURES, read_start

CODE, VERSION = 9994, 1000
HEADER = 100
FILES = {".shp", ".shx", ".dbf", ".prj", ".cpg", ".qpj", ".qix", ".sbn", ".sbx", ".idm", ".ind"}
"""Suffixes of the files that GDAL opens as parts of a Shapefile."""
POLYGONS = (5, 15, 25)
"""Kinds of shape that are areas: plain, with heights, with measures."""
KINDS = (0, 1, 3, 8, 11, 13, 18, 21, 23, 28, 31, *POLYGONS)
"""All kinds: nothing, points, lines, surfaces and areas."""
LANGUAGE = 29
"""The byte of a table that says the encoding of its texts."""
UNSTATED = (0x00, 0x03, 0x57)
"""No encoding, or that of Windows, which programs write whatever the texts are in."""
MAX_EFFORT = 2**35
"""Rings times points, over all shapes: GDAL finds which ring lies in which by comparing all with all (a minute)."""


def open_shapefile(path: Path) -> Layer:
    """Open a Shapefile; raise MisuseError unless its files are there, complete and of a size that is read."""
    start, size = read_start(path, HEADER)
    _check_header(path, start, size)
    found = _find_files(path)
    for ending, holds in ((".shx", "where its shapes begin"), (".dbf", "their properties")):
        if ending not in found:
            raise MisuseError(
                f"{path.with_suffix(ending)}: is missing; a Shapefile is several files, and this one holds {holds}. "
                "Copy it beside the others."
            )
    _check_header(found[".shx"], *read_start(found[".shx"], HEADER))
    features = (found[".shx"].stat().st_size - HEADER) // 8
    _check_table(found[".dbf"], features)
    _check_shapes(path, found[".shx"], features)
    is_utf8 = ".cpg" not in found and _holds_utf8(found[".dbf"])
    return Layer(path, "ESRI Shapefile", **({"ENCODING": "UTF-8"} if is_utf8 else {}))


def _find_files(path: Path) -> dict[str, Path]:
    """Return the files of the same stem by their suffix; MisuseError for a pipe or a broken link among them."""
    beside = (file for file in path.parent.iterdir() if file.stem == path.stem)
    found = {file.suffix.lower(): file for file in beside if file.suffix.lower() in FILES}
    for file in found.values():
        read_start(file, 0)
    return found


def _check_header(path: Path, start: bytes, size: int) -> None:
    code, words = struct.unpack_from(">I20xI", start)
    if code != CODE or struct.unpack_from("<I", start, 28) != (VERSION,):
        raise MisuseError(f"{path}: not of a Shapefile, by its first bytes; export it again, or correct its suffix.")
    if size < 2 * words or size < HEADER:
        raise MisuseError(f"{path}: cut off, {size:,} bytes of {2 * words:,}; copy it again.")


def _check_table(path: Path, features: int) -> None:
    """Raise MisuseError where the properties are cut off, or those of other shapes."""
    start, size = read_start(path, 32)
    records, header, length = struct.unpack_from("<IHH", start, 4)
    if size < header + records * length:
        raise MisuseError(f"{path}: cut off, {size:,} bytes of {header + records * length:,}; copy it again.")
    if records != features:
        raise MisuseError(
            f"{path}: has {records:,} rows and the Shapefile {features:,} shapes; copy both from the same export."
        )


def _holds_utf8(path: Path) -> bool:
    """Return whether the texts of a table are in UTF-8, by their bytes: no other encoding looks like it by accident.

    GDAL takes them for Latin-1 where no `.cpg` says otherwise, and a `.cpg` is easily left behind.
    """
    start, _ = read_start(path, 32)
    if start[LANGUAGE] not in UNSTATED:
        return False
    decoder, is_ascii = codecs.getincrementaldecoder("utf-8")(), True
    try:
        with path.open("rb") as file:
            file.seek(struct.unpack_from("<H", start, 8)[0])  # behind the header, where the values begin
            while chunk := file.read(2**20):
                decoder.decode(chunk)
                is_ascii = is_ascii and chunk.isascii()
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return not is_ascii


def _check_shapes(path: Path, index: Path, features: int) -> None:
    """Raise MisuseError for too many shapes, points or rings, or for a shape outside of the file."""
    if features > MAX_FEATURES:
        raise MisuseError(
            f"{path}: {features:,} features, and {MAX_FEATURES:,} at most are read; cut it to the surroundings of the "
            "images (ogr2ogr -clipsrc)."
        )
    data = np.memmap(path, np.uint8, mode="r")
    words = np.fromfile(index, ">u4", 2 * features, offset=HEADER).reshape(-1, 2).astype(np.int64)
    starts, lengths = 2 * words[:, 0] + 8, 2 * words[:, 1]
    ends = (starts + lengths).max(initial=HEADER)
    if ends > len(data) or lengths.sum() > len(data) or lengths.min(initial=4) < 4:
        raise MisuseError(f"{path}: damaged or cut off, a shape lies behind its end; copy it again with {index.name}.")
    kinds = _read_numbers(data, starts)
    if (unknown := kinds[~np.isin(kinds, KINDS)]).size:
        raise MisuseError(f"{path}: damaged, a shape is of the unknown kind {unknown[0]:.0f}; copy it again.")
    polygons = starts[np.isin(kinds, POLYGONS) & (lengths >= 44)]
    rings, points = _read_numbers(data, polygons + 36), _read_numbers(data, polygons + 40)
    if (rings * points).sum() > MAX_EFFORT:
        raise MisuseError(
            f"{path}: has shapes of up to {rings.max():,.0f} rings, too many to find out which lies in which; divide "
            "them (QGIS: Multipart to singleparts), or save a GeoPackage."
        )


def _read_numbers(data: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return the whole numbers at offsets, in float64, whose products do not overflow."""
    return np.ascontiguousarray(data[offsets[:, None] + np.arange(4)]).view("<u4").reshape(-1).astype(np.float64)
