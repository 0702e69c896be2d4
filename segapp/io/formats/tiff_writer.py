"""Writes a TIFF row by row, so that it is never in memory as a whole."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from segapp.io.formats.format import MaskLayout, Palette, RowFilter
from segapp.io.formats.mask_palette import fill_palette
from segapp.io.formats.row_thread import Rows, RowThread, gather_bands, open_row_thread

TILE = 256
LOSSLESS = {"NONE": None, "LZW": "lzw", "PACKBITS": "packbits", "ZSTD": "zstd", "LZMA": "lzma"}
"""Compressions of an image that its mask keeps; for any other it is deflate."""

GEO_TYPES = {33550: "d", 33922: "d", 34264: "d", 34735: "H", 34736: "d", 34737: "s"}
UNITS = {"inch": "INCH", "centimeter": "CENTIMETER", "none": "NONE"}
MICROMETRES = "ImageJ=1.54f\nunit=um\n"
"""The description by which ImageJ, Fiji and segapp know that the resolution counts pixels per µm."""

BIG = 2**31
"""Bytes from which a file is written as BigTIFF: the compressed size is not known beforehand."""


@contextmanager
def open_tiff_rows(path: Path, layout: MaskLayout, filter_rows: RowFilter = iter) -> Iterator[RowThread]:
    """Give a sink of rows whose file is complete when the context ends.

    `filter_rows` may change the rows on their way, in the thread that writes. Georeference, pixel size, resolution and
    lossless compression of the layout's `meta` (see `Image.meta`) are kept. With a palette the values are class
    indices, and programs that show images give them these colours. The mask of an OME-TIFF is one.
    """
    (shape,) = layout.sizes.values()
    colours = {} if layout.palette is None else {"photometric": "palette", "colormap": make_colour_map(layout.palette)}
    options = _choose_options(layout.meta, shape) | colours
    with open_row_thread(partial(_write_rows, path, shape, options), filter_rows) as thread:
        yield thread


def _write_rows(path: Path, shape: tuple[int, int], options: Mapping[str, Any], rows: Rows) -> None:
    tiles = _make_tiles(rows, shape)
    tifffile.imwrite(path, tiles, shape=shape, dtype=np.uint8, tile=(TILE, TILE), **options)


def _make_tiles(rows: Rows, shape: tuple[int, int]) -> Iterator[np.ndarray]:
    """Yield (TILE, TILE) pieces, row of tiles by row of tiles; the last ones padded with zeros."""
    for _, band in gather_bands(rows, shape, TILE):
        for left in range(0, shape[1], TILE):
            tile = np.zeros((TILE, TILE), np.uint8)
            corner = band[:, left : left + TILE]
            tile[: corner.shape[0], : corner.shape[1]] = corner
            yield tile


def make_colour_map(palette: Palette) -> np.ndarray:
    """Return (3, 256) uint16: TIFF's table of colours, whose full brightness is 65535."""
    return np.multiply(fill_palette(palette).T, 257, dtype=np.uint16)


def make_ome_sizes(**sizes: float) -> dict[str, Any]:
    """Return the distances of pixels along X, Y and Z in µm, as tifffile takes them for OME-XML."""
    lengths: dict[str, Any] = {f"PhysicalSize{axis}": size for axis, size in sizes.items()}
    return lengths | {f"{name}Unit": "µm" for name in lengths}


def _choose_options(meta: Mapping[str, Any], shape: tuple[int, int]) -> dict[str, Any]:
    options: dict[str, Any] = {
        "photometric": "minisblack",
        "metadata": None,
        "compression": LOSSLESS.get(meta.get("compression", ""), "adobe_deflate"),
        "bigtiff": shape[0] * shape[1] >= BIG,
    }
    if "resolution" in meta:
        y, x, unit = meta["resolution"]
        options |= {"resolution": (x, y), "resolutionunit": UNITS[unit]}
    sizes: dict[str, Any] = {}
    if "pixel_size" in meta:
        y, x = meta["pixel_size"]
        sizes = make_ome_sizes(X=x, Y=y)
        options |= {"resolution": (1 / x, 1 / y), "resolutionunit": "NONE", "description": MICROMETRES}
    if "is_ome" in meta:
        options |= {"ome": True, "description": None, "metadata": {"axes": "YX", **sizes}}
    geo = meta.get("geotiff", {})
    options["extratags"] = [
        (code, GEO_TYPES[code], len(value) + 1 if GEO_TYPES[code] == "s" else len(value), value, True)
        for code, value in geo.items()
    ]
    return options
