"""TIFF in windows: only the tiles or strips under the window are decoded."""

from contextlib import AbstractContextManager
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from segapp.errors import SegappError
from segapp.io.average_pixels import read_averaged
from segapp.io.file_part import FilePart
from segapp.io.formats import tiff_codecs, tiff_tags
from segapp.io.formats.format import Format, MaskLayout, MaskSink, RowFilter
from segapp.io.formats.tiff_levels import Choice, choose_level, scale_geometry
from segapp.io.formats.tiff_pages import (
    SLIDES,
    find_mask,
    find_series,
    find_shape,
    has_unnamed_pages,
    move_channels_last,
    open_tiff,
    open_unknown_tiff,
)
from segapp.io.formats.tiff_writer import open_tiff_rows
from segapp.io.formats.tile_cache import TileCache
from segapp.io.header import Header, Window
from segapp.io.pixel_size import read_slide_pixel_size
from segapp.spec import Resolution

NAME_AXES = "save all with their axes (tifffile: metadata={'axes': 'CYX'})"

MAX_SEGMENT = 2**30  # bytes of one tile or strip: decoded whole, however small the window
EMPTY_FROM, EMPTY = 2**28, 4096
"""Pixels from which an image must have a byte for so many values; one with less was made to waste time."""

TILES = TileCache(2**26)  # bytes: a row of windows of 512 x 512 across 40,000 pixels of RGB


class Tiff(Format):
    """TIFF, BigTIFF, GeoTIFF and what microscopes write as TIFF: the pages that make one image."""

    name = "TIFF"
    suffixes = (".tif", ".tiff", ".svs", ".ndpi", ".scn", ".bif")
    written_suffixes = (".tif", ".tiff")
    magic = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
    has_windows = True
    has_levels = True
    writes_images = True
    writes_masks = True
    streams_masks = True

    def read_header(self, file: FilePart) -> Header:
        """Return the header from the tags; no pixel is decoded. Raise SegappError for a file of unreadable windows."""
        return _read_header(file.path, file.resolution)

    def read_window(self, file: FilePart, header: Header, window: Window) -> np.ndarray:
        """Return (h, w, C) as stored, in the machine's byte order; only the tiles under the window are decoded."""
        return _read_window(file.path, file.resolution, header, window)

    def read_valid(self, file: FilePart, window: Window) -> np.ndarray:
        """Return (h, w): 0 where the file's mask page says that nothing was measured."""
        return _read_mask_page(file.path, window)

    def write_image(self, path: Path, pixels: np.ndarray) -> None:
        """Write (H, W) or (H, W, 3) uint8, compressed without loss."""
        photometric = "rgb" if pixels.ndim == 3 else "minisblack"
        tifffile.imwrite(path, pixels, compression="adobe_deflate", metadata=None, photometric=photometric)

    def open_mask(
        self, path: Path, layout: MaskLayout, filter_rows: RowFilter = iter
    ) -> AbstractContextManager[MaskSink]:
        """Return a context whose writer writes rows while they come, with the geometry of the layout's `meta`."""
        return open_tiff_rows(path, layout, filter_rows)


def _read_header(path: Path, resolution: Resolution | None) -> Header:
    with open_unknown_tiff(path) as file:
        finest = find_series(path, file)
        meta = _read_geometry(finest)
        choice = choose_level(path, finest, resolution, meta.get("pixel_size"))
        series, size = choice.level.series, choice.level.size
        page, bands = series.keyframe, find_shape(path, series)[2]
        photometric = tiff_tags.require_colours(path, page, bands)
        tiff_codecs.require_known_codec(path, tiff_tags.get_compression(page))
        _require_readable(path, file, series, size)
        header = Header(
            format=Tiff.name,
            height=choice.size[0],
            width=choice.size[1],
            bands=bands,
            dtype=_get_dtype(path, series),
            white=2**page.bitspersample - 1 if page.bitspersample < 8 else 255,
            white_is_zero=photometric == "MINISWHITE",
            alpha=tiff_tags.find_alpha_band(path, page, bands),
            palette=tiff_tags.read_palette(page) if photometric == "PALETTE" and bands == 1 else None,
            nodata=tiff_tags.read_nodata(page),
            has_mask=find_mask(path, file, find_shape(path, finest)[:2]) is not None,
            pages_advice=NAME_AXES if has_unnamed_pages(series) else None,
            lossy=tiff_tags.find_lossy_codec(page),
            orientation=tiff_tags.read_orientation(page),
            meta=meta if resolution is None else scale_geometry(meta, choice.downsample),
        )
    if choice.downsample != (1.0, 1.0):
        _require_scalable(path, header, choice)
    return header


def _read_geometry(series: Any) -> dict[str, Any]:
    """Return resolution, georeference and the like of the finest level, of a slide with µm per pixel."""
    page = series.keyframe
    meta = tiff_tags.read_geometry(page)
    if "pixel_size" not in meta and (series.kind in SLIDES or len(series.levels) > 1):
        measured = read_slide_pixel_size(page.description, meta.get("resolution"))
        meta |= {} if measured is None else {"pixel_size": measured}
    return meta


def _require_scalable(path: Path, header: Header, choice: Choice) -> None:
    """Raise SegappError for an image whose levels or means do not have the meaning of its pixels."""
    what = "a page of valid pixels" if header.has_mask else "a georeference" if "geotiff" in header.meta else ""
    if not what and choice.is_averaged:
        named = {"a palette": header.palette is not None, "nodata": header.nodata is not None}
        named["packed bits"] = header.white < 255
        what = next((name for name, found in named.items() if found), "")
    if what:
        raise SegappError(f"{path}: has {what}, which is read at its finest level only; leave `resolution` out.")


def _read_window(path: Path, resolution: Resolution | None, header: Header, window: Window) -> np.ndarray:
    with open_tiff(path) as file:
        finest = find_series(path, file)
        measured = None if resolution is None else _read_geometry(finest).get("pixel_size")
        choice = choose_level(path, finest, resolution, measured)
        read = partial(_read_stored, path, file, choice.level.series, choice.level.size)
        pixels = read_averaged(read, choice.level.size, choice.step, window) if choice.is_averaged else read(window)
    return np.ascontiguousarray(pixels, dtype=header.dtype)


def _read_stored(path: Path, file: tifffile.TiffFile, series: Any, size: tuple[int, int], window: Window) -> np.ndarray:
    """Return (h, w, C) of a level, in the file's byte order."""
    y, x, h, w = window
    if series.dataoffset is not None:
        return _map_file(path, file, series)[y : y + h, x : x + w]
    if _has_windows(series, size):
        return np.concatenate([_decode(path, file, page, window) for page in series.pages], axis=2)
    # a page per row and the like: rare, and never large
    return move_channels_last(series, series.asarray())[y : y + h, x : x + w]


def _read_mask_page(path: Path, window: Window) -> np.ndarray:
    with open_tiff(path) as file:
        height, width, _ = find_shape(path, find_series(path, file))
        return _decode(path, file, find_mask(path, file, (height, width)), window)[..., 0]


def _has_windows(series: Any, size: tuple[int, int]) -> bool:
    return bool(series.keyframe.shaped[1] == 1 and series.keyframe.shaped[2:4] == size)


def _require_readable(path: Path, file: tifffile.TiffFile, series: Any, size: tuple[int, int]) -> None:
    """Compare what the header promises with the size of the file, before windows are planned from it."""
    if series.dataoffset is not None:
        _require_stored(path, series)
    elif not _has_windows(series, size):
        too_large = series.size * np.dtype(series.dtype).itemsize > MAX_SEGMENT
        if too_large or tiff_codecs.has_own_size(tiff_tags.get_compression(series.keyframe)):
            raise SegappError(f"{path}: TIFF with a page per row of {size[0]} x {size[1]} pixels; save it in one page.")
    else:
        _get_segment_size(series.keyframe)
        stored = min(path.stat().st_size, sum(series.keyframe.databytecounts))
        if size[0] * size[1] > EMPTY_FROM and size[0] * size[1] > EMPTY * stored:
            raise SegappError(
                f"{path}: TIFF of {size[0]} x {size[1]} pixels with only {stored:,} bytes of data; "
                "save only the part that has data."
            )


def _require_stored(path: Path, series: Any) -> None:
    needed, found = series.dataoffset + series.size * series.dtype.itemsize, path.stat().st_size
    if needed > found:
        raise SegappError(f"{path}: truncated TIFF, it has {found:,} of {needed:,} bytes.")


def _get_dtype(path: Path, series: Any) -> np.dtype[Any]:
    if series.dtype is None or series.dtype.kind not in "buif":
        raise SegappError(f"{path}: TIFF with values of kind {series.dtype}; save integers or floats.")
    return np.dtype(np.uint8) if series.dtype.kind == "b" else series.dtype.newbyteorder("=")


def _map_file(path: Path, file: tifffile.TiffFile, series: Any) -> np.ndarray:
    """Map an uncompressed file in one piece: the operating system reads what the window touches."""
    dtype = series.dtype.newbyteorder(file.byteorder)
    _require_stored(path, series)
    return move_channels_last(series, np.memmap(path, dtype, "r", series.dataoffset, tuple(series.shape)))


def _decode(path: Path, file: tifffile.TiffFile, page: Any, window: Window) -> np.ndarray:
    """Return (h, w, samples) of one page."""
    key, (y, x, h, w) = page.keyframe, window
    planes, _, height, width, samples = key.shaped
    rows, columns = _get_segment_size(key)
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
    tiff_codecs.require_fitting_size(path, tiff_tags.get_compression(key), stream, _get_segment_size(key))
    segment, _, _ = key.decode(data, index, jpegtables=key.jpegtables, jpegheader=key.jpegheader)
    return np.array(segment[0])


def _get_segment_size(key: Any) -> tuple[int, int]:
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
