"""Reads the one image that a TIFF holds, in windows, at one of its levels."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from segapp.errors import SegappError
from segapp.io.average_pixels import read_averaged
from segapp.io.formats import tiff_codecs, tiff_tags
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
from segapp.io.formats.tiff_pixels import (
    MAX_SEGMENT,
    decode_page,
    get_dtype,
    get_segment_size,
    map_file,
    require_data,
    require_stored,
)
from segapp.io.header import Header, Window
from segapp.io.pixel_size import read_slide_pixel_size
from segapp.spec import Resolution

NAME = "TIFF"
"""The format in messages."""

NAME_AXES = "save all with their axes (tifffile: metadata={'axes': 'CYX'} for channels, 'ZYX' for slices)"


def read_image_header(path: Path, resolution: Resolution | None) -> Header:
    """Return the header from the tags; no pixel is decoded. Raise SegappError for a file of unreadable windows."""
    with open_unknown_tiff(path) as file:
        finest = find_series(path, file)
        meta = _read_geometry(finest)
        choice = choose_level(path, finest, resolution, meta.get("pixel_size"))
        series, size = choice.level.series, choice.level.size
        page, bands = series.keyframe, find_shape(path, series)[2]
        values = describe_values(path, page, bands)
        _require_readable(path, file, series, size)
        header = Header(
            format=NAME,
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


def describe_values(path: Path, page: Any, bands: int) -> dict[str, Any]:
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
    meta = tiff_tags.read_geometry(page) | ({"is_ome": True} if series.kind == "ome" else {})
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


def read_image_window(path: Path, resolution: Resolution | None, header: Header, window: Window) -> np.ndarray:
    """Return (h, w, C) as stored, in the machine's byte order; only the tiles under the window are decoded."""
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


def read_mask_page(path: Path, window: Window) -> np.ndarray:
    """Return (h, w): 0 where the file's mask page says that nothing was measured."""
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
        require_data(path, size, stored)
