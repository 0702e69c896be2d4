"""Writes a TIFF row by row, so that it is never in memory as a whole."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any

import numpy as np
import tifffile

from segapp.errors import SegappError
from segapp.io.formats.format import MaskLayout, Palette, RowFilter
from segapp.io.formats.mask_palette import fill_palette

TILE = 256
LOSSLESS = {"NONE": None, "LZW": "lzw", "PACKBITS": "packbits", "ZSTD": "zstd", "LZMA": "lzma"}
"""Compressions of an image that its mask keeps; for any other it is deflate."""

GEO_TYPES = {33550: "d", 33922: "d", 34264: "d", 34735: "H", 34736: "d", 34737: "s"}
UNITS = {"inch": "INCH", "centimeter": "CENTIMETER", "none": "NONE"}
MICROMETRES = "ImageJ=1.54f\nunit=um\n"
"""The description by which ImageJ, Fiji and segapp know that the resolution counts pixels per µm."""

BIG = 2**31
"""Bytes from which a file is written as BigTIFF: the compressed size is not known beforehand."""


class TiffRows:
    """A writer of the rows of a (H, W) uint8 image, from top to bottom, which compresses and writes in a thread."""

    def __init__(self, path: Path, shape: tuple[int, int], options: dict[str, Any], filter_rows: RowFilter) -> None:
        self._shape = shape
        self._filter_rows = filter_rows
        self._rows: Queue[np.ndarray | None] = Queue(maxsize=2)  # None: there are no more
        self._ended = False
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._write, args=(path, options), daemon=True)
        self._thread.start()

    def add(self, rows: np.ndarray, part: str = "") -> None:
        """Take the next (h, W) uint8 rows; raise what went wrong with earlier ones."""
        if self._failed:
            raise self._failed
        self._rows.put(np.ascontiguousarray(rows))

    def close(self) -> None:
        """Wait until everything is written; raises what went wrong."""
        self.discard()
        if self._failed:
            raise self._failed

    def discard(self) -> None:
        """End the thread, even if rows are missing."""
        self._rows.put(None)
        self._thread.join()

    def _write(self, path: Path, options: dict[str, Any]) -> None:
        try:
            tifffile.imwrite(path, self._make_tiles(), shape=self._shape, dtype=np.uint8, tile=(TILE, TILE), **options)
        except BaseException as error:  # not lost: `add` and `close` raise it
            self._failed = error
            while not self._ended and self._rows.get() is not None:
                continue  # `add` must not wait for room in the queue of a writer that has stopped

    def _take_rows(self) -> Iterator[np.ndarray]:
        while (rows := self._rows.get()) is not None:
            yield rows
        self._ended = True

    def _make_tiles(self) -> Iterator[np.ndarray]:
        """(TILE, TILE) pieces, row of tiles by row of tiles; the last ones padded with zeros."""
        height, width = self._shape
        held = np.empty((0, width), np.uint8)
        given = self._filter_rows(self._take_rows())
        for top in range(0, height, TILE):
            needed = min(TILE, height - top)
            while len(held) < needed:
                rows = next(given, None)
                if rows is None:
                    raise SegappError(f"{top + len(held)} of {height} rows were given.")
                held = np.concatenate([held, rows])
            for left in range(0, width, TILE):
                tile = np.zeros((TILE, TILE), np.uint8)
                corner = held[:needed, left : left + TILE]
                tile[: corner.shape[0], : corner.shape[1]] = corner
                yield tile
            held = held[needed:]


@contextmanager
def open_tiff_rows(path: Path, layout: MaskLayout, filter_rows: RowFilter = iter) -> Iterator[TiffRows]:
    """Give a `TiffRows` whose file is complete when the context ends.

    `filter_rows` may change the rows on their way, in the thread that writes. Georeference, pixel size, resolution and
    lossless compression of the layout's `meta` (see `Image.meta`) are kept. With a palette the values are class
    indices, and programs that show images give them these colours.
    """
    (shape,) = layout.sizes.values()
    colours = {} if layout.palette is None else {"photometric": "palette", "colormap": _make_colour_map(layout.palette)}
    writer = TiffRows(path, shape, _choose_options(layout.meta, shape) | colours, filter_rows)
    try:
        yield writer
    except BaseException:
        writer.discard()
        raise
    writer.close()


def _make_colour_map(palette: Palette) -> np.ndarray:
    """Return (3, 256) uint16: TIFF's table of colours, whose full brightness is 65535."""
    return np.multiply(fill_palette(palette).T, 257, dtype=np.uint16)


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
    if "pixel_size" in meta:
        y, x = meta["pixel_size"]
        options |= {"resolution": (1 / x, 1 / y), "resolutionunit": "NONE", "description": MICROMETRES}
    geo = meta.get("geotiff", {})
    options["extratags"] = [
        (code, GEO_TYPES[code], len(value) + 1 if GEO_TYPES[code] == "s" else len(value), value, True)
        for code, value in geo.items()
    ]
    return options
