"""TIFF in windows: only the tiles or strips under the window are decoded."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import lru_cache, partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from segapp.errors import SegappError
from segapp.io.average_pixels import read_averaged
from segapp.io.file_part import FilePart, read_stamp
from segapp.io.formats import tiff_codecs, tiff_tags
from segapp.io.formats.format import MaskLayout, MaskSink, RowFilter
from segapp.io.formats.mapped_values import map_values
from segapp.io.formats.slices import Grid
from segapp.io.formats.tiff_levels import Choice, choose_level, scale_geometry
from segapp.io.formats.tiff_pages import (
    SLIDES,
    find_mask,
    find_series,
    find_shape,
    has_unnamed_pages,
    is_plain_page,
    move_channels_last,
    open_tiff,
    open_unknown_tiff,
)
from segapp.io.formats.tiff_pixels import (
    MAX_SEGMENT,
    decode_page,
    get_dtype,
    get_segment_size,
    map_file,
    require_stored,
)
from segapp.io.formats.tiff_stack import Stack, describe_stack, find_stack, read_plane, read_planes, write_stack
from segapp.io.formats.tiff_writer import open_tiff_rows
from segapp.io.formats.volume import Volume, VolumeFormat, make_flat_grid, parse_part
from segapp.io.header import Header, Window
from segapp.io.pixel_size import read_slide_pixel_size
from segapp.spec import Resolution, SliceAxis

NAME_AXES = "save all with their axes (tifffile: metadata={'axes': 'CYX'} for channels, 'ZYX' for slices)"

HELD = 2**28
"""Bytes of a compressed stack that is decoded at once and kept, as a volume; of a larger one the planes are decoded."""

EMPTY_FROM, EMPTY = 2**28, 4096
"""Pixels from which an image must have a byte for so many values; one with less was made to waste time."""


class Tiff(VolumeFormat):
    """TIFF, BigTIFF, GeoTIFF and what microscopes write as TIFF: the pages of one image, or the slices of a stack."""

    name = "TIFF"
    suffixes = (".tif", ".tiff", ".svs", ".ndpi", ".scn", ".bif")
    written_suffixes = (".tif", ".tiff")
    magic = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
    has_levels = True
    writes_images = True
    streams_masks = True

    def list_slices(self, file: FilePart, axis: SliceAxis) -> tuple[str, ...]:
        """Return the names of the slices across an axis; `auto` stands for that of the planes."""
        if _is_plainly_flat(file.path, read_stamp([file.path])):
            return ("",)
        return super().list_slices(file, "axial" if axis == "auto" else axis)

    def has_part(self, file: FilePart) -> bool:
        """Return whether a stack has this slice, across whichever axis."""
        if _is_plainly_flat(file.path, read_stamp([file.path])):
            return not file.part
        return super().has_part(file)

    def read_volume(self, path: Path) -> Volume:
        """Return a stack without its values, or one image."""
        with open_unknown_tiff(path) as file:
            series = find_series(path, file)
            stack = find_stack(path, series)
            if stack is None:
                height, width, bands = find_shape(path, series)
                grid = make_flat_grid((height, width), (1, 1))
                return Volume(self.name, grid, True, bands, get_dtype(path, series))
            if find_mask(path, file, stack.sizes[1:]) is not None or tiff_tags.read_orientation(series.keyframe) > 1:
                raise SegappError(f"{path}: stack with a mask page or turned pages; save it without, upright.")
            return describe_stack(path, file, series, stack, tiff_tags.read_geometry(series.keyframe).get("pixel_size"))

    def read_grid(self, file: FilePart) -> Grid | None:
        """Return where the voxels of a stack lie; None for one image."""
        volume = self._read(file)
        return None if volume.is_flat else volume.grid

    def read_header(self, file: FilePart) -> Header:
        """Return the header from the tags; no pixel is decoded. Raise SegappError for a file of unreadable windows."""
        if not file.part:
            return _read_header(file.path, file.resolution)
        if file.resolution is not None:
            raise SegappError(f"{file.path}: a stack has no levels; leave `resolution` out.")
        header = super().read_header(file)
        with open_unknown_tiff(file.path) as opened:
            return replace(header, **_describe_values(file.path, find_series(file.path, opened).keyframe, header.bands))

    def read_window(self, file: FilePart, header: Header, window: Window) -> np.ndarray:
        """Return (h, w, C) as stored, in the machine's byte order; only the tiles under the window are decoded.

        Of stacks that are compressed all slices are decoded and kept, unless they are too many.
        """
        if not file.part:
            return _read_window(file.path, file.resolution, header, window)
        volume = self._read(file)
        axis, index = parse_part(file.part)
        if axis != "axial" or volume.offset is not None or volume.nbytes <= HELD:
            return super().read_window(file, header, window)
        with open_tiff(file.path) as opened:
            series = find_series(file.path, opened)
            return read_plane(file.path, opened, series, volume.source, index, window).astype(header.dtype, copy=False)

    def map_voxels(self, path: Path, volume: Volume) -> np.ndarray:
        """Return all values (slices, H, W, C) of an uncompressed stack, read where they are looked at."""
        values = map_values(path, volume.dtype, volume.offset or 0, prod(volume.shape))
        stack: Stack = volume.source
        return stack.arrange(values)

    def decode(self, path: Path, volume: Volume) -> np.ndarray:
        """Return all values (slices, H, W, C) of a compressed stack."""
        with open_tiff(path) as file:
            return read_planes(path, file, find_series(path, file), volume)

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
        """Return a context whose writer writes rows while they come, with the geometry of the layout's `meta`.

        The slices of a stack are written at its end.
        """
        return (
            open_tiff_rows(path, layout, filter_rows) if "" in layout.sizes else self._hold(path, layout, filter_rows)
        )

    def write_masks(self, path: Path, masks: Mapping[str, np.ndarray], layout: MaskLayout) -> None:
        """Write the masks of all slices as one stack, with the axes and distances of its image."""
        write_stack(path, *self.join_slices(masks, layout), layout)

    def write_volume(self, path: Path, mask: np.ndarray, volume: Volume) -> None:
        """Write a mask (slices, H, W) uint8 as one stack, with the axes and distances of its image."""
        write_stack(path, mask, volume, MaskLayout({}))


@lru_cache(maxsize=2**14)
def _is_plainly_flat(path: Path, stamp: tuple[int, int]) -> bool:
    """Return whether the tags alone show that a file is one image, in half of the time of looking at all it says."""
    with open_unknown_tiff(path) as file:
        return is_plain_page(file)


def _read_header(path: Path, resolution: Resolution | None) -> Header:
    with open_unknown_tiff(path) as file:
        finest = find_series(path, file)
        meta = _read_geometry(finest)
        choice = choose_level(path, finest, resolution, meta.get("pixel_size"))
        series, size = choice.level.series, choice.level.size
        page, bands = series.keyframe, find_shape(path, series)[2]
        values = _describe_values(path, page, bands)
        _require_readable(path, file, series, size)
        header = Header(
            format=Tiff.name,
            height=choice.size[0],
            width=choice.size[1],
            bands=bands,
            dtype=get_dtype(path, series),
            has_mask=find_mask(path, file, find_shape(path, finest)[:2]) is not None,
            pages_advice=NAME_AXES if has_unnamed_pages(series) else None,
            orientation=tiff_tags.read_orientation(page),
            meta=meta if resolution is None else scale_geometry(meta, choice.downsample),
            **values,
        )
    if choice.downsample != (1.0, 1.0):
        _require_scalable(path, header, choice)
    return header


def _describe_values(path: Path, page: Any, bands: int) -> dict[str, Any]:
    """Return what stored values mean, by names of `Header`; raise SegappError for what is not read."""
    photometric = tiff_tags.require_colours(path, page, bands)
    tiff_codecs.require_known_codec(path, tiff_tags.get_compression(page))
    return {
        "white": 2**page.bitspersample - 1 if page.bitspersample < 8 else 255,
        "white_is_zero": photometric == "MINISWHITE",
        "alpha": tiff_tags.find_alpha_band(path, page, bands),
        "palette": tiff_tags.read_palette(page) if photometric == "PALETTE" and bands == 1 else None,
        "nodata": tiff_tags.read_nodata(page),
        "lossy": tiff_tags.find_lossy_codec(page),
    }


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
        return move_channels_last(series, map_file(path, file, series))[y : y + h, x : x + w]
    if _has_windows(series, size):
        return np.concatenate([decode_page(path, file, page, window) for page in series.pages], axis=2)
    # a page per row and the like: rare, and never large
    return move_channels_last(series, series.asarray())[y : y + h, x : x + w]


def _read_mask_page(path: Path, window: Window) -> np.ndarray:
    with open_tiff(path) as file:
        height, width, _ = find_shape(path, find_series(path, file))
        return decode_page(path, file, find_mask(path, file, (height, width)), window)[..., 0]


def _has_windows(series: Any, size: tuple[int, int]) -> bool:
    return bool(series.keyframe.shaped[1] == 1 and series.keyframe.shaped[2:4] == size)


def _require_readable(path: Path, file: tifffile.TiffFile, series: Any, size: tuple[int, int]) -> None:
    """Compare what the header promises with the size of the file, before windows are planned from it."""
    if series.dataoffset is not None:
        require_stored(path, series)
    elif not _has_windows(series, size):
        too_large = series.size * np.dtype(series.dtype).itemsize > MAX_SEGMENT
        if too_large or tiff_codecs.has_own_size(tiff_tags.get_compression(series.keyframe)):
            raise SegappError(f"{path}: TIFF with a page per row of {size[0]} x {size[1]} pixels; save it in one page.")
    else:
        get_segment_size(series.keyframe)
        stored = min(path.stat().st_size, sum(series.keyframe.databytecounts))
        if size[0] * size[1] > EMPTY_FROM and size[0] * size[1] > EMPTY * stored:
            raise SegappError(
                f"{path}: TIFF of {size[0]} x {size[1]} pixels with only {stored:,} bytes of data; "
                "save only the part that has data."
            )
