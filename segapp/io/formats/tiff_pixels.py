"""Decodes the pixels of TIFF pages: only the tiles or strips that a window touches, each once."""

from functools import partial
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from segapp.errors import SegappError
from segapp.io.formats import tiff_codecs, tiff_tags
from segapp.io.formats.tile_cache import TileCache
from segapp.io.header import Window

MAX_SEGMENT = 2**30
"""Bytes of one tile or strip: it is decoded whole, however small the window."""

EMPTY_FROM, EMPTY = 2**28, 4096
"""Pixels from which an image must have a byte for so many values; one with less was made to waste time."""

TILES = TileCache(2**26)
"""Decoded tiles, in each process: a row of windows of 512 x 512 across 40,000 pixels of RGB."""


def decode_page(path: Path, file: tifffile.TiffFile, page: Any, window: Window) -> np.ndarray:
    """Return (h, w, samples) of one page; only the tiles or strips under the window are decoded."""
    key, (y, x, h, w) = page.keyframe, window
    planes, _, height, width, samples = key.shaped
    rows, columns = get_segment_size(key)
    pixels = np.full((planes, h, w, samples), key.nodata, key.dtype)
    status = path.stat()
    for plane, row, column in product(
        range(planes), range(y // rows, -(-(y + h) // rows)), range(x // columns, -(-(x + w) // columns))
    ):
        index = (plane * -(-height // rows) + row) * -(-width // columns) + column
        if page.databytecounts[index] == 0:  # GDAL's sparse tiles: nothing is stored where there is nothing
            continue
        key_of_tile = (path, status.st_mtime_ns, status.st_size, page.dataoffsets[index])
        segment = TILES.get(key_of_tile, partial(_decode_segment, path, file, page, index))
        top, left = row * rows, column * columns
        y0, y1 = max(y, top), min(y + h, top + segment.shape[0])
        x0, x1 = max(x, left), min(x + w, left + segment.shape[1])
        pixels[plane, y0 - y : y1 - y, x0 - x : x1 - x] = segment[y0 - top : y1 - top, x0 - left : x1 - left]
    return np.moveaxis(pixels, 0, -2).reshape(h, w, planes * samples)


def _decode_segment(path: Path, file: tifffile.TiffFile, page: Any, index: int) -> np.ndarray:
    """Return (rows, columns, samples) of one tile or strip, in its own memory."""
    offset, length = page.dataoffsets[index], page.databytecounts[index]
    file.filehandle.seek(offset)
    data = file.filehandle.read(length)
    if len(data) < length:
        raise SegappError(f"{path}: truncated TIFF, it ends at byte {offset + len(data):,}.")
    key = page.keyframe
    stream = data if key.jpegheader is None else key.jpegheader + data  # NDPI: one JPEG, of which tiles are pieces
    tiff_codecs.require_fitting_size(path, tiff_tags.get_compression(key), stream, get_segment_size(key))
    segment, _, _ = key.decode(data, index, jpegtables=key.jpegtables, jpegheader=key.jpegheader)
    return np.array(segment[0])


def get_segment_size(key: Any) -> tuple[int, int]:
    """Return height and width of the tiles or strips."""
    _, _, height, width, samples = key.shaped
    rows = key.tilelength if key.is_tiled else min(key.rowsperstrip, height)
    columns = key.tilewidth if key.is_tiled else width
    if rows * columns * samples * key.dtype.itemsize > MAX_SEGMENT:
        raise SegappError(
            f"{key.parent.filehandle.path}: one tile or strip of this TIFF is {rows} x {columns} pixels, "
            f"more than segapp decodes at once ({MAX_SEGMENT:,} bytes); save it with tiles of 512 x 512."
        )
    return rows, columns


def map_file(path: Path, file: tifffile.TiffFile, series: Any) -> np.ndarray:
    """Map the series of an uncompressed file in one piece: the operating system reads what the window touches."""
    dtype = series.dtype.newbyteorder(file.byteorder)
    require_stored(path, series)
    return np.memmap(path, dtype, "r", series.dataoffset, tuple(series.shape))


def require_stored(path: Path, series: Any) -> None:
    """Raise SegappError for an uncompressed file that ends before its values do."""
    needed, found = series.dataoffset + series.size * series.dtype.itemsize, path.stat().st_size
    if needed > found:
        raise SegappError(f"{path}: truncated TIFF, it has {found:,} of {needed:,} bytes.")


def require_data(path: Path, sizes: tuple[int, ...], stored: int) -> None:
    """Raise SegappError for an image or stack of many pixels of which nearly nothing is stored in so many bytes."""
    pixels = prod(sizes)
    if pixels > EMPTY_FROM and pixels > EMPTY * stored:
        raise SegappError(
            f"{path}: TIFF of {' x '.join(map(str, sizes))} pixels with only {stored:,} bytes of data; "
            "save only the part that has data."
        )


def get_dtype(path: Path, series: Any) -> np.dtype[Any]:
    """Return the type of values in memory; raise SegappError for values that are no numbers."""
    if series.dtype is None or series.dtype.kind not in "buif":
        raise SegappError(f"{path}: TIFF with values of kind {series.dtype}; save integers or floats.")
    return np.dtype(np.uint8) if series.dtype.kind == "b" else series.dtype.newbyteorder("=")
