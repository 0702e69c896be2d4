"""Reads files as they are stored: the format is found by content, windows are upright, errors are one message."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from segapp.errors import SegappError
from segapp.io.file_part import FilePart, as_file_part, read_stamp
from segapp.io.formats import registry
from segapp.io.formats.bounds import require_fitting_bytes
from segapp.io.formats.format import Format
from segapp.io.formats.slices import Grid
from segapp.io.header import Header, Window
from segapp.io.joined_channels import check_other_channel, join_headers
from segapp.io.orientation import find_stored_window, turn_upright
from segapp.spec import SliceAxis

logger = logging.getLogger(__name__)

MAX_SIDE = 2**20
"""Height or width of any image: a band of windows across it must fit into memory."""

REMEMBERED = 2**14
"""Headers that are kept, each of 1 kB (photographs) to 7 kB (GeoTIFF); reading one again takes some 0.3 ms."""

LISTED = 4
"""Parts of a file that a message names."""

Stamp = tuple[int, int]


def read_raw(file: Path | FilePart) -> np.ndarray:
    """Return (H, W) or (H, W, C) as stored: palette indices and alpha kept, bits as 0 and 1, orientation applied.

    Raises:
        SegappError: The file cannot be read; the message names it and what was found.
    """
    height, width = read_shape(file)
    pixels = read_window(file, 0, 0, height, width)
    return pixels[..., 0] if pixels.shape[2] == 1 else pixels


def read_shape(file: Path | FilePart) -> tuple[int, int]:
    """Return height and width after orientation, from the header alone; raise SegappError."""
    return read_header(file).upright


def read_window(file: Path | FilePart, y: int, x: int, h: int, w: int) -> np.ndarray:
    """Return (h, w, C) as stored, a copy, inside the image only; of formats with windows nothing else is decoded."""
    pixels = [_read_upright(_open(one), (y, x, h, w), _read_stored) for one in as_file_part(file).every_file]
    return np.concatenate(pixels, axis=2) if len(pixels) > 1 else pixels[0]


def read_measured_window(file: Path | FilePart, y: int, x: int, h: int, w: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Return what `read_window` does, and (h, w) bool: which pixels were not measured; None if all were.

    A pixel is missing where all bands of a file hold the file's nodata value, or by its mask page.
    """
    window, pixels, missing = (y, x, h, w), [], []
    for one in as_file_part(file).every_file:
        opened = _open(one)
        pixels.append(_read_upright(opened, window, _read_stored))
        missing.append(_find_missing(opened, window, pixels[-1]))
    if len(pixels) == 1:
        return pixels[0], missing[0]
    found = [each for each in missing if each is not None]
    return np.concatenate(pixels, axis=2), np.logical_or.reduce(found) if found else None


def _find_missing(opened: "_Opened", window: Window, pixels: np.ndarray) -> np.ndarray | None:
    missing, header = None, opened.header
    if header.nodata is not None:
        empty = np.isnan(pixels) if np.isnan(header.nodata) else pixels == header.nodata
        missing = empty.all(axis=2)
    if header.has_mask:
        valid = _read_upright(opened, window, _read_valid)
        missing = (valid == 0) | (False if missing is None else missing)
    return missing if missing is not None and missing.any() else None


def read_header(file: Path | FilePart) -> Header:
    """Return an image without its pixels; raise SegappError."""
    file = as_file_part(file)
    if not file.channel_files:
        return _open(file).header
    first, *others = file.every_file
    headers = [_open(first).header]
    for other in others:
        check_other_channel(first, headers[0], other, _open(list_parts(other.path)[0]).header)
        headers.append(_open(other).header)
    return join_headers(file, headers)


def has_windows(file: Path | FilePart) -> bool:
    """Return whether a window of an image is decoded without the rest; raise SegappError."""
    return all(_open(one).format.has_windows for one in as_file_part(file).every_file)


def list_parts(file: Path | FilePart) -> tuple[FilePart, ...]:
    """Return the images of a file in their order: one, or those of a volume, stack or pyramid; raise SegappError."""
    file = as_file_part(file)
    with _explain_errors(file):
        found = _find_format(file.path)
        return tuple(replace(file, part=part) for part in found.list_parts(file))


def list_slices(file: Path | FilePart, axis: SliceAxis) -> tuple[FilePart, ...]:
    """Return the slices of a volume across an axis; the file itself where its name is not that of a volume.

    Other files are not opened, if their names say what they are: a folder may hold many.

    Raises:
        SegappError: The volume cannot be read.
    """
    file = replace(as_file_part(file), part="")
    named = registry.find_named_format(file.path)
    if named is not None and not named.holds_parts:
        return (file,)
    with _explain_errors(file):
        return tuple(replace(file, part=part) for part in _find_format(file.path).list_slices(file, axis))


def read_grid(file: FilePart) -> Grid | None:
    """Return where the voxels of a volume lie, None for other images; raise SegappError."""
    with _explain_errors(file):
        return _find_format(file.path).read_grid(file)


def count_times(file: FilePart) -> int:
    """Return at how many times a volume has its slices, of which this is one; 1 for other images; raise SegappError."""
    grid = read_grid(file) if file.part else None
    return 1 if grid is None else grid.times


def read_files_stamp(file: FilePart) -> Stamp:
    """Return by what a change of any file of an image is noticed; raise SegappError."""
    with _explain_errors(file):
        return read_stamp(each for one in file.every_file for each in _find_format(one.path).list_files(one))


def holds_slices(path: Path) -> bool:
    """Return whether the images of a file are the slices of one volume; raise SegappError."""
    with _explain_errors(FilePart(path)):
        return _find_format(path).holds_slices


class _Opened(NamedTuple):
    """An image file whose header was read, and the stamp of its files at that time."""

    file: FilePart
    format: Format
    header: Header
    stamp: Stamp


def _open(file: FilePart) -> _Opened:
    with _explain_errors(file):
        found = registry.find_folder_format(file.path)
        stamp = (0, 0) if found else read_stamp([file.path])
        found = found or _recognise(file.path, stamp)
        files = found.list_files(file)
        if files != (file.path,):
            stamp = read_stamp(files)
        return _Opened(file, found, _read_header(found, file, stamp), stamp)


def _read_upright(opened: _Opened, window: Window, read: Callable[[_Opened, Window], np.ndarray]) -> np.ndarray:
    y, x, h, w = window
    height, width = opened.header.upright
    if not (0 <= y < y + h <= height and 0 <= x < x + w <= width):
        raise SegappError(f"{opened.file}: window {y, x, h, w} is not inside its {height} x {width} pixels.")
    with _explain_errors(opened.file):
        pixels = read(opened, find_stored_window(opened.header, window))
    return np.array(turn_upright(pixels, opened.header.orientation), order="C")


def _read_stored(opened: _Opened, window: Window) -> np.ndarray:
    y, x, h, w = window
    if opened.format.has_windows:
        _require_decodable(opened.file, opened.format, h, w)
        return opened.format.read_window(opened.file, opened.header, window)
    return _decode(opened.format, opened.file, opened.stamp)[y : y + h, x : x + w]


def _read_valid(opened: _Opened, window: Window) -> np.ndarray:
    return opened.format.read_valid(opened.file, window)


def _find_format(path: Path) -> Format:
    return registry.find_folder_format(path) or _recognise(path, read_stamp([path]))


@lru_cache(maxsize=REMEMBERED)
def _recognise(path: Path, stamp: Stamp) -> Format:
    found = registry.find_format(path)
    if registry.describe_name(path, found):
        _log_other_content(registry.find_suffix(path), found.name)
    return found


@cache  # once per process and pair of formats, not once per image
def _log_other_content(suffix: str, name: str) -> None:
    logger.warning("Some files with the suffix %s contain %s; they are read as what they contain.", suffix, name)


@lru_cache(maxsize=REMEMBERED)
def _read_header(found: Format, file: FilePart, stamp: Stamp) -> Header:
    if not found.has_part(file):
        parts = found.list_parts(file)
        names = f"{', '.join(parts[:LISTED])}{' …' if len(parts) > LISTED else ''}"
        asked = f"none of them is {file.part}" if file.part else "not one"
        raise SegappError(f"{file.path}: {found.name} of {len(parts)} images ({names}), {asked}; save each as a file.")
    if file.resolution is not None and not found.has_levels:
        raise SegappError(
            f"{file.path}: {found.name} is read at the resolution that it has, and `resolution` asks for "
            f"{file.resolution}; save it as TIFF with its µm per pixel, as ImageJ and OME do."
        )
    header = found.read_header(file)
    if not 1 <= min(header.height, header.width) <= max(header.height, header.width) <= MAX_SIDE:
        raise SegappError(
            f"{file}: {header.format} of {header.height} x {header.width} pixels; a side has 1 … {MAX_SIDE:,}."
        )
    if not found.has_windows:
        _require_decodable(file, found, header.height, header.width)
        pixel = header.bands * header.dtype.itemsize
        require_fitting_bytes(file.path, header.format, stamp[1], (header.height, header.width, pixel))
    return header


@lru_cache(maxsize=2)  # an image and its mask: several crops of one pair decode each file once
def _decode(found: Format, file: FilePart, stamp: Stamp) -> np.ndarray:
    header = _read_header(found, file, stamp)
    pixels = found.read_window(file, header, (0, 0, header.height, header.width))
    pixels.flags.writeable = False
    return pixels


def _require_decodable(file: FilePart, found: Format, height: int, width: int) -> None:
    if height * width > found.max_pixels:
        raise SegappError(
            f"{file}: {height} x {width} pixels; of {found.name} at most {found.max_pixels:,} pixels are read. "
            f"Convert it to {registry.list_windowed()}, which is read in windows (a TIFF needs tiles)."
        )


@contextmanager
def _explain_errors(file: FilePart) -> Iterator[None]:
    """Turn what decoders raise (struct.error, SyntaxError, …) into one message that names the file."""
    try:
        yield
    except SegappError:
        raise
    except MemoryError as error:
        raise SegappError(f"{file}: not enough memory to decode it.") from error
    except Exception as error:
        raise SegappError(f"{file}: {_describe_found(file.path)} ({type(error).__name__}: {error}).") from error


def _describe_found(path: Path) -> str:
    try:
        found = registry.find_folder_format(path) or registry.find_format(path)
        size = "" if path.is_dir() else f" of {path.stat().st_size:,} bytes"
    except (OSError, SegappError):
        return "the file cannot be read"
    return f"a broken or truncated {found.name}{size}{registry.describe_name(path, found)}"
