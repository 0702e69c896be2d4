"""A lazy reference to one image file, as a network sees it."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from functools import cache, cached_property, lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from segapp.errors import MisuseError, SegappError
from segapp.io.file_part import FilePart, as_file_part
from segapp.io.header import Header, invert_white_is_zero
from segapp.io.intensity import Bounds, compute_bounds, scale_values
from segapp.io.raw import (
    Stamp,
    has_windows,
    holds_slices,
    list_parts,
    read_files_stamp,
    read_header,
    read_measured_window,
    read_window,
)
from segapp.spec import Intensity

logger = logging.getLogger(__name__)

STORED = Intensity()

NAMED = (1, 3)
"""Numbers of channels that networks for grey and for RGB have: that many pages must be marked as channels."""

OVERVIEW_FROM = 2**24  # pixels: up to 4096 x 4096, statistics come from every one
OVERVIEW_GRID, OVERVIEW_SIDE = 16, 128  # beyond, from 16 by 16 windows: 4 million pixels of it
LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as OpenCV and Pillow have it


class Image:
    """One image file of any supported format, kind of number and size.

    `channels` is the number to deliver: grey becomes 3 by repetition, RGB becomes 1 by luminance, a band marked as
    alpha is used if the number includes it, pages not marked as channels are used unless there are 1 or 3.
    Anything else that differs is refused. Pixels that were not measured (GeoTIFF's nodata, a mask page) are in no
    statistics and become 0. Nothing is opened before the first use; everything raises SegappError naming the file.
    """

    def __init__(self, file: Path | FilePart, channels: int | None = None, intensity: Intensity = STORED) -> None:
        self.file = as_file_part(file)
        self.channels = channels
        self.intensity = intensity
        self._alpha: int | float | None = None

    def __repr__(self) -> str:
        return f"Image({str(self.file)!r}, channels={self.channels}, intensity={self.intensity})"

    @property
    def path(self) -> Path:
        """The file that holds the image."""
        return self.file.path

    @property
    def has_windows(self) -> bool:
        """Whether a window is decoded without the rest of the image."""
        return has_windows(self.file)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width, channels, from the header, orientation applied."""
        header, stored = self._header, self._stored_channels
        if header.pages_advice is not None and (self.channels != stored or stored in NAMED):
            self._refuse_pages(stored)
        if self.channels not in (None, stored) and (stored, self.channels) not in ((1, 3), (3, 1)):
            raise SegappError(
                f"{self.file}: {stored} channels, but {self.channels} are needed (only grey and RGB are "
                "turned into each other); set `channels` to what the files have, or convert this file."
            )
        return (*header.upright, stored if self.channels is None else self.channels)

    @property
    def orientation(self) -> int:
        """EXIF's 1 … 8: how the stored pixels are turned."""
        return self._header.orientation

    @property
    def _stored_channels(self) -> int:
        header = self._header
        if header.palette is not None:
            return 3
        return header.bands - (header.alpha is not None and self.channels != header.bands)

    @property
    def _find_alpha_band(self) -> int | None:
        header = self._header
        if header.palette is not None:
            return 3 if header.palette.shape[1] == 4 else None
        return header.alpha if self._stored_channels < header.bands else None

    def _refuse_pages(self, pages: int) -> None:
        advice = str(self._header.pages_advice)
        if pages not in NAMED:
            advice = f"set `channels: {pages}` if they are channels, or {advice}"
        raise SegappError(
            f"{self.file}: {self._header.format} of {pages} pages without the names of channels: channels of one "
            f"image, or slices? {advice[0].upper()}{advice[1:]}."
        )

    @property
    def dtype(self) -> np.dtype[Any]:
        """What `read` and `window` deliver: uint8, or float32 in [0, 1]."""
        return np.dtype(self.intensity.dtype)

    @property
    def stored_dtype(self) -> np.dtype[Any]:
        """What the file holds."""
        return self._header.dtype

    @property
    def stored_channels(self) -> int:
        """Channels of the file: of a palette those of its colours, a constant alpha not counted."""
        return self._stored_channels

    @property
    def meta(self) -> dict[str, Any]:
        """`resolution` (y, x, unit), `pixel_size` (y, x in µm), `affine`, `crs`, `geo_keys`, `compression`, if known.

        `affine` is in GDAL's order: x, dx/dcolumn, dx/drow, y, dy/dcolumn, dy/drow of the upper left corner; `geo_keys`
        are the keys of the coordinate system that are one number (OGC 19-008r4). Where `FilePart.resolution` is given,
        `downsample` (y, x) says how many pixels of the finest level make one. A format may add what only it can write
        back. Of a file whose orientation tag turns it, only what a turn leaves true: its georeference is of other rows.
        """
        meta = self._header.meta
        if self._header.orientation == 1:
            return meta
        kept = {key: value for key, value in meta.items() if key == "compression"}
        if "resolution" in meta:
            y, x, unit = meta["resolution"]
            kept["resolution"] = (x, y, unit) if self._header.orientation >= 5 else (y, x, unit)
        for key in {"pixel_size", "downsample"} & meta.keys():
            y, x = meta[key]
            kept[key] = (x, y) if self._header.orientation >= 5 else (y, x)
        return kept

    def read(self) -> np.ndarray:
        """Read (H, W, C) of `dtype`."""
        height, width, _ = self.shape
        return self.read_window(0, 0, height, width)

    def read_window(self, y: int, x: int, h: int, w: int) -> np.ndarray:
        """Read (h, w, C) of `dtype`, inside the image only; of a TIFF only what lies under it is decoded."""
        if self.intensity.kind == "stored" and self.stored_dtype != np.uint8:
            raise MisuseError(
                f"{self.file}: holds {self.stored_dtype}, and intensity `stored` delivers uint8 files only; "
                "set `intensity` to percentile (low 1, high 99), range (low, high in stored units) or zscore."
            )
        pixels, missing = self._read_values(y, x, h, w)
        if self.intensity.kind == "stored":
            return pixels
        scaled = scale_values(pixels, *self._bounds)
        if missing is not None:
            scaled[missing] = 0
        return scaled

    @cached_property
    def _header(self) -> Header:
        return read_header(self.file)

    @cached_property
    def _bounds(self) -> Bounds:
        if self.file.part and self.intensity.kind != "range" and holds_slices(self.path):
            stamp = read_files_stamp(self.file)
            return _compute_volume_bounds(replace(self.file, part=""), stamp, self.channels, self.intensity)
        return compute_bounds(self.intensity, self.read_overview())

    def read_overview(self) -> Iterator[np.ndarray]:
        """Yield the (n, C) values, in stored units, from which statistics of the image come."""
        height, width, _ = self.shape
        return (self._measured(*window) for window in _choose_overview(height, width))

    def _measured(self, y: int, x: int, h: int, w: int) -> np.ndarray:
        """Return the (n, C) values of a window's measured pixels."""
        pixels, missing = self._read_values(y, x, h, w)
        return pixels.reshape(-1, pixels.shape[2]) if missing is None else pixels[~missing]

    def _read_values(self, y: int, x: int, h: int, w: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Return (h, w, C) in stored units, colours and channels settled, and where nothing was measured."""
        shape, header = self.shape, self._header
        pixels, missing = read_measured_window(self.file, y, x, h, w)
        if missing is not None and pixels.dtype.kind == "f":
            pixels[missing] = 0  # NaN, or a number that no conversion should see
        if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
            bad = int((~np.isfinite(pixels)).sum())
            raise SegappError(f"{self.file}: {bad:,} values are NaN or infinite; replace them with numbers.")
        pixels = _convert_to_colours(pixels, header)
        if (alpha := self._find_alpha_band) is not None:
            pixels = self._drop_alpha(pixels, alpha)
        return convert_channels(pixels, shape[2]), missing

    def _read_whole_alpha(self, band: int, seen: np.ndarray) -> np.ndarray:
        """Return the alpha of all pixels where reading a window has decoded them anyway, else that of the window."""
        header = self._header
        if self.has_windows and header.height * header.width > OVERVIEW_FROM:
            return seen
        height, width = header.upright
        return _convert_to_colours(read_window(self.file, 0, 0, height, width), header)[..., band]

    def _drop_alpha(self, pixels: np.ndarray, band: int) -> np.ndarray:
        alpha = pixels[..., band]
        if self._alpha is None:
            alpha = self._read_whole_alpha(band, alpha)
            self._alpha = alpha.flat[0].item()
        if not (alpha == self._alpha).all():
            bands = self._header.bands
            use = f", or set `channels: {bands}` if it is a measurement, such as infrared" if bands > 1 else ""
            raise SegappError(
                f"{self.file}: its alpha channel varies ({alpha.min()} … {alpha.max()}), so what lies under "
                f"the transparent pixels is undefined; save the image without transparency{use}."
            )
        _say_alpha_dropped(self._header.format)
        return np.delete(pixels, band, axis=2)


@lru_cache(maxsize=4096)  # once per process and volume, not once per slice
def _compute_volume_bounds(file: FilePart, stamp: Stamp, channels: int | None, intensity: Intensity) -> Bounds:
    """Return the bounds of a volume, from all of its slices, of a large one from an even choice of them."""
    parts = list_parts(file)
    height, width, _ = Image(parts[0], channels).shape
    count = min(len(parts), max(1, OVERVIEW_FROM // (height * width)))
    chosen = np.unique(np.linspace(0, len(parts) - 1, count).astype(int))
    return compute_bounds(
        intensity, chain.from_iterable(Image(parts[index], channels).read_overview() for index in chosen)
    )


@cache  # once per process and kind of file, not once per image
def _say_alpha_dropped(suffix: str) -> None:
    logger.warning(
        "Some %s images have an alpha channel of one value; it contains no information and is dropped.", suffix
    )


def _convert_to_colours(pixels: np.ndarray, header: Header) -> np.ndarray:
    """Convert palette indices to colours, packed bits to 0 … 255, and MinIsWhite to its opposite."""
    if header.palette is not None:
        return header.palette[pixels[..., 0]]
    pixels = invert_white_is_zero(pixels, header)
    if pixels.dtype == np.uint8 and header.white < 255:
        pixels = _stretch_values(header.white)[pixels]
    return pixels


@cache
def _stretch_values(white: int) -> np.ndarray:
    """Return (256,) uint8: what the values 0 … white become, so that white is 255."""
    return np.minimum(np.round(np.arange(256) * (255 / white)), 255).astype(np.uint8)


def convert_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """Return (h, w, channels): grey repeated, or the luminance of RGB."""
    if pixels.shape[2] == channels:
        return np.ascontiguousarray(pixels)
    if channels == 3:
        return np.repeat(pixels, 3, axis=2)
    if pixels.dtype == np.uint8:
        return cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)[..., None]
    return (pixels.astype(np.float32) @ LUMINANCE)[..., None]


def _choose_overview(height: int, width: int) -> list[tuple[int, int, int, int]]:
    """Choose the complete area of a small image, and an even grid of windows of a large one."""
    if height * width <= OVERVIEW_FROM:
        return [(0, 0, height, width)]
    h, w = min(height, OVERVIEW_SIDE), min(width, OVERVIEW_SIDE)
    tops = np.unique(np.linspace(0, height - h, OVERVIEW_GRID).astype(int))
    lefts = np.unique(np.linspace(0, width - w, OVERVIEW_GRID).astype(int))
    return [(int(y), int(x), h, w) for y in tops for x in lefts]
