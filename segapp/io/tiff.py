"""TIFF in windows: only the tiles or strips under the window are decoded."""

import logging
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from segapp.errors import SegappError
from segapp.io.header import Header, Window
from segapp.io.measured import pixel_size
from segapp.io.recent import Recent

# tifffile logs each oddity of a broken file, up to thousands of lines; here one sentence says it.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
CHANNEL_AXES = "SCQI"  # samples, channels, and the two letters tifffile gives to pages it knows nothing about
MAX_PAGES = 16  # more pages than a network has input channels are a stack, not one image
MAX_SEGMENT = 2**30  # bytes of one tile or strip: decoded whole, however small the window
RECENT = Recent(2**26)  # bytes: a row of windows of 512 x 512 across 40,000 pixels of RGB
RASTER_TYPE, PIXEL_IS_POINT = 1025, 2
"""Of the GeoTIFF standard: the georeference is of pixels' centres instead of their upper left corners."""

GEO_TAGS = (33550, 33922, 34264, 34735, 34736, 34737)
PHOTOMETRIC = ("MINISWHITE", "MINISBLACK", "RGB", "PALETTE", "YCBCR")


def read_header(path: Path) -> Header:
    """What the first series' tags say; no pixel is decoded."""
    with tifffile.TiffFile(path) as file:
        series, page = _series(path, file)
        height, width, bands = _shape(path, series)
        photometric = getattr(page.photometric, "name", str(page.photometric))
        if photometric not in PHOTOMETRIC:
            raise SegappError(f"{path}: TIFF with {photometric} colours; convert it to RGB or grey.")
        return Header(
            format="TIFF",
            height=height,
            width=width,
            bands=bands,
            dtype=_dtype(path, series),
            white=2**page.bitspersample - 1 if page.bitspersample < 8 else 255,
            white_is_zero=photometric == "MINISWHITE",
            alpha=_alpha(page, bands),
            palette=_palette(page) if photometric == "PALETTE" and bands == 1 else None,
            orientation=_orientation(page),
            meta=_meta(page),
        )


def read_window(path: Path, header: Header, window: Window) -> np.ndarray:
    """(h, w, C) as stored, in the machine's byte order; `window` in stored coordinates."""
    with tifffile.TiffFile(path) as file:
        series, page = _series(path, file)
        y, x, h, w = window
        if series.dataoffset is not None:
            pixels = _mapped(path, file, series)[y : y + h, x : x + w]
        elif page.shaped[1] == 1 and page.shaped[2:4] == (header.height, header.width):
            pixels = np.concatenate([_decode(path, file, page, window) for page in series.pages], axis=2)
        else:  # a page per row and the like: rare, and never large
            pixels = _channels_last(series, series.asarray())[y : y + h, x : x + w]
    return np.ascontiguousarray(pixels, dtype=header.dtype)


def _series(path: Path, file: tifffile.TiffFile) -> tuple[Any, Any]:
    if not file.series:
        raise SegappError(f"{path}: TIFF without an image in it.")
    _whole_chain(path, file)
    series = file.series[0]
    return series, series.keyframe


def _whole_chain(path: Path, file: tifffile.TiffFile) -> None:
    """Each page points to the next, the last to 0: tifffile takes a pointer beyond the file for the end."""
    position = file.pages.next_page_offset
    if position is not None:
        file.filehandle.seek(position)
        pointer = file.filehandle.read(file.tiff.offsetsize)
        if len(pointer) < file.tiff.offsetsize or any(pointer):
            raise SegappError(f"{path}: truncated TIFF, its page {len(file.pages) + 1} is missing.")


def _rows_are_pages(series: Any) -> bool:
    """(H, W, few) saved without saying that the last axis is channels becomes H pages of W x few."""
    axes, shape = _long_axes(series)
    return axes in ("QYX", "IYX") and shape[0] > MAX_PAGES >= shape[2]


def _long_axes(series: Any) -> tuple[str, tuple[int, ...]]:
    kept = [i for i, axis in enumerate(series.axes) if series.shape[i] > 1 or axis in "YX"]
    return "".join(series.axes[i] for i in kept), tuple(series.shape[i] for i in kept)


def _shape(path: Path, series: Any) -> tuple[int, int, int]:
    axes, shape = _long_axes(series)
    if _rows_are_pages(series):
        return shape[0], shape[1], shape[2]
    if axes == "YX":
        return shape[0], shape[1], 1
    if len(axes) == 3 and axes.endswith("YX") and axes[0] in CHANNEL_AXES and shape[0] <= MAX_PAGES:
        return shape[1], shape[2], shape[0]
    if len(axes) == 3 and axes.startswith("YX") and axes[2] in CHANNEL_AXES:
        return shape[0], shape[1], shape[2]
    sizes = ", ".join(f"{axis}={length}" for axis, length in zip(axes, shape, strict=True))
    raise SegappError(f"{path}: TIFF with the axes {sizes} is a stack, not one image; save each slice as a file.")


def _channels_last(series: Any, pixels: np.ndarray) -> np.ndarray:
    axes, shape = _long_axes(series)
    pixels = pixels.reshape(shape)
    if len(axes) == 2:
        return pixels[..., None]
    return pixels if axes.startswith("YX") or _rows_are_pages(series) else np.moveaxis(pixels, 0, -1)


def _dtype(path: Path, series: Any) -> np.dtype[Any]:
    if series.dtype is None or series.dtype.kind not in "buif":
        raise SegappError(f"{path}: TIFF with values of kind {series.dtype}; save integers or floats.")
    return np.dtype(np.uint8) if series.dtype.kind == "b" else series.dtype.newbyteorder("=")


def _mapped(path: Path, file: tifffile.TiffFile, series: Any) -> np.ndarray:
    """Uncompressed and in one piece: the operating system reads what the window touches."""
    dtype = series.dtype.newbyteorder(file.byteorder)
    needed = series.dataoffset + series.size * dtype.itemsize
    if needed > path.stat().st_size:
        raise SegappError(f"{path}: truncated TIFF, {path.stat().st_size:,} of {needed:,} bytes are there.")
    return _channels_last(series, np.memmap(path, dtype, "r", series.dataoffset, tuple(series.shape)))


def _decode(path: Path, file: tifffile.TiffFile, page: Any, window: Window) -> np.ndarray:
    """(h, w, samples) of one page."""
    key, (y, x, h, w) = page.keyframe, window
    planes, _, height, width, samples = key.shaped
    rows, columns = _segment_size(key)
    pixels = np.full((planes, h, w, samples), key.nodata, key.dtype)
    status = path.stat()
    for plane, row, column in product(
        range(planes), range(y // rows, -(-(y + h) // rows)), range(x // columns, -(-(x + w) // columns))
    ):
        index = (plane * -(-height // rows) + row) * -(-width // columns) + column
        if page.databytecounts[index] == 0:  # GDAL's sparse tiles: nothing is stored where there is nothing
            continue
        place = (path, status.st_mtime_ns, status.st_size, page.dataoffsets[index])
        segment = RECENT.get(place, partial(_segment, path, file, page, index))
        top, left = row * rows, column * columns
        y0, y1 = max(y, top), min(y + h, top + segment.shape[0])
        x0, x1 = max(x, left), min(x + w, left + segment.shape[1])
        pixels[plane, y0 - y : y1 - y, x0 - x : x1 - x] = segment[y0 - top : y1 - top, x0 - left : x1 - left]
    return np.moveaxis(pixels, 0, -2).reshape(h, w, planes * samples)


def _segment(path: Path, file: tifffile.TiffFile, page: Any, index: int) -> np.ndarray:
    """(rows, columns, samples) of one tile or strip, in its own memory."""
    offset, length = page.dataoffsets[index], page.databytecounts[index]
    file.filehandle.seek(offset)
    data = file.filehandle.read(length)
    if len(data) < length:
        raise SegappError(f"{path}: truncated TIFF, it ends at byte {offset + len(data):,}.")
    segment, _, _ = page.keyframe.decode(data, index, jpegtables=page.keyframe.jpegtables)
    return np.array(segment[0])


def _segment_size(key: Any) -> tuple[int, int]:
    """Height and width of the tiles or strips."""
    _, _, height, width, samples = key.shaped
    rows = key.tilelength if key.is_tiled else min(key.rowsperstrip, height)
    columns = key.tilewidth if key.is_tiled else width
    if rows * columns * samples * key.dtype.itemsize > MAX_SEGMENT:
        raise SegappError(
            f"{key.parent.filehandle.path}: one tile or strip of this TIFF is {rows} x {columns} pixels, "
            f"more than segapp decodes at once ({MAX_SEGMENT:,} bytes); save it with tiles of 512 x 512."
        )
    return rows, columns


def _alpha(page: Any, bands: int) -> int | None:
    """The band that ExtraSamples calls alpha; unspecified extra samples are real channels."""
    kinds = [int(kind) for kind in page.extrasamples]
    alphas = [i for i, kind in enumerate(kinds) if kind in (1, 2)]
    return page.samplesperpixel - len(kinds) + alphas[0] if alphas and bands == page.samplesperpixel else None


def _palette(page: Any) -> np.ndarray | None:
    """(256, 3) uint8 from TIFF's 16-bit colour map."""
    if page.colormap is None or page.dtype != np.uint8:
        return None
    palette = np.zeros((256, 3), np.uint8)
    palette[: page.colormap.shape[1]] = (page.colormap.T >> 8).astype(np.uint8)
    return palette


def _orientation(page: Any) -> int:
    tag = page.tags.get(274)
    return int(tag.value) if tag is not None and tag.value in range(1, 9) else 1


def _meta(page: Any) -> dict[str, Any]:
    """Compression, resolution, GeoTIFF tags, CRS, and the affine map in GDAL's order.

    That is x, dx/dcolumn, dx/drow, y, dy/dcolumn, dy/drow of the upper left corner.
    """
    meta: dict[str, Any] = {"compression": getattr(page.compression, "name", str(page.compression))}
    if 282 in page.tags and 283 in page.tags:
        x, y = (page.tags[code].value for code in (282, 283))
        unit = {2: "inch", 3: "centimeter"}.get(int(page.resolutionunit), "none")
        if x[1] and y[1]:
            meta["resolution"] = (y[0] / y[1], x[0] / x[1], unit)
    if (measured := pixel_size(page.description, meta.get("resolution", ())[:2] or None)) is not None:
        meta["pixel_size"] = measured
    geo = {code: page.tags[code].value for code in GEO_TAGS if code in page.tags}
    if geo:
        meta["geotiff"] = geo
    if 33550 in geo and 33922 in geo:
        (sx, sy, *_), (column, row, _, x, y, *_) = geo[33550], geo[33922]
        meta["affine"] = (x - column * sx, sx, 0.0, y + row * sy, 0.0, -sy)
    elif 34264 in geo:
        a, b, _, x, d, e, _, y, *_ = geo[34264]
        meta["affine"] = (x, a, b, y, d, e)
    keys = geo.get(34735, ())
    short = {keys[i]: keys[i + 3] for i in range(4, len(keys) - 3, 4)}
    if "affine" in meta and short.get(RASTER_TYPE) == PIXEL_IS_POINT:
        x, a, b, y, d, e = meta["affine"]
        meta["affine"] = (x - (a + b) / 2, a, b, y - (d + e) / 2, d, e)
    code = short.get(3072, short.get(2048))  # of the projection, else of the geographic system
    if code and code != 32767:  # "defined by the user": the other keys, kept in geotiff, say how
        meta["crs"] = f"EPSG:{code}"
    return meta
