"""Files as they are stored: the format found by content, errors told in one sentence."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import numpy as np

from segapp.errors import SegappError
from segapp.io.formats import raster, tiff
from segapp.io.header import Header, Window, stored_window, turn_upright
from segapp.system.regular_files import MISSING, describe_irregular

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff"})
"""Lower-case suffixes that can be read."""

MAX_PIXELS = 2**28
"""Height x width that is decoded whole at most (16,384 x 16,384); a larger TIFF is read in windows."""

MAX_SIDE = 2**20
"""Height or width of any image: a band of windows across it must fit into memory."""

LFS_POINTER = b"version https://git-lfs"


def read_raw(path: Path) -> np.ndarray:
    """Return (H, W) or (H, W, C) as stored: palette indices and alpha kept, bits as 0 and 1, orientation applied.

    Raises SegappError that names the file and what was found.
    """
    height, width = read_shape(path)
    pixels = read_window(path, 0, 0, height, width)
    return pixels[..., 0] if pixels.shape[2] == 1 else pixels


def read_shape(path: Path) -> tuple[int, int]:
    """Return height and width after orientation, from the header alone; raises SegappError."""
    return read_header(path).upright


def read_window(path: Path, y: int, x: int, h: int, w: int) -> np.ndarray:
    """Return (h, w, C) as stored, a copy, inside the image only; of a TIFF only what lies under it is decoded."""
    return _upright_window(path, (y, x, h, w), _stored)


def missing_window(path: Path, pixels: np.ndarray, y: int, x: int) -> np.ndarray | None:
    """Return (h, w) bool: where the stored (h, w, C) `pixels` at (y, x) were not measured; None if all were.

    That is where all bands hold the file's nodata value, or where its mask page says so.
    """
    header = read_header(path)
    missing = None
    if header.nodata is not None:
        empty = np.isnan(pixels) if np.isnan(header.nodata) else pixels == header.nodata
        missing = empty.all(axis=2)
    if header.has_mask:
        valid = _upright_window(path, (y, x, *pixels.shape[:2]), lambda path, _, window: tiff.read_mask(path, window))
        missing = (valid[..., 0] == 0) | (False if missing is None else missing)
    return missing if missing is not None and missing.any() else None


def read_header(path: Path) -> Header:
    """Return the file without its pixels; raises SegappError."""
    with _explain_errors(path):
        return _read_header(path, *_read_stamp(path))


def _upright_window(path: Path, window: Window, read: Callable[[Path, Header, Window], np.ndarray]) -> np.ndarray:
    header, (y, x, h, w) = read_header(path), window
    height, width = header.upright
    if not (0 <= y < y + h <= height and 0 <= x < x + w <= width):
        raise SegappError(f"{path}: window {y, x, h, w} is not inside its {height} x {width} pixels.")
    with _explain_errors(path):
        pixels = read(path, header, stored_window(header, window))
    return np.array(turn_upright(pixels, header.orientation), order="C")


def _stored(path: Path, header: Header, window: Window) -> np.ndarray:
    y, x, h, w = window
    if header.format == "TIFF":
        _bound(path, h, w)
        return tiff.read_window(path, header, window)
    return _decoded(path, *_read_stamp(path))[y : y + h, x : x + w]


def _read_stamp(path: Path) -> tuple[int, int]:
    if (kind := describe_irregular(path)) is not None:
        missing = kind == MISSING
        raise SegappError(f"{path}: {kind}{'' if missing else ', not an image file'}.")
    status = path.stat()
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=1024)
def _read_header(path: Path, mtime: int, size: int) -> Header:
    with path.open("rb") as file:
        magic = file.read(len(LFS_POINTER))
    if not magic:
        raise SegappError(f"{path}: the file is empty.")
    if magic == LFS_POINTER:
        raise SegappError(f"{path}: a Git LFS pointer instead of an image; fetch it with `git lfs pull`.")
    header = tiff.read_header(path) if magic.startswith(tiff.MAGIC) else raster.read_header(path)
    if not 1 <= min(header.height, header.width) <= max(header.height, header.width) <= MAX_SIDE:
        raise SegappError(
            f"{path}: {header.format} of {header.height} x {header.width} pixels; a side has 1 … {MAX_SIDE:,}."
        )
    if header.format != "TIFF":
        _bound(path, header.height, header.width)
    return header


@lru_cache(maxsize=2)  # an image and its mask: several crops of one pair decode each file once
def _decoded(path: Path, mtime: int, size: int) -> np.ndarray:
    pixels = raster.decode(path, _read_header(path, mtime, size))
    pixels.flags.writeable = False
    return pixels


def _bound(path: Path, height: int, width: int) -> None:
    if height * width > MAX_PIXELS:
        raise SegappError(
            f"{path}: {height} x {width} pixels would have to be decoded whole, segapp does so up to "
            f"{MAX_PIXELS:,}; save it as a tiled TIFF, which is read in windows."
        )


@contextmanager
def _explain_errors(path: Path) -> Iterator[None]:
    """Decoders raise whatever they like (struct.error, SyntaxError, …): here it becomes a sentence."""
    try:
        yield
    except SegappError:
        raise
    except MemoryError as error:
        raise SegappError(f"{path}: not enough memory to decode it.") from error
    except Exception as error:
        raise SegappError(f"{path}: {_describe_found(path)} ({type(error).__name__}: {error}).") from error


def _describe_found(path: Path) -> str:
    try:
        with path.open("rb") as file:
            start = file.read(8)
        size = path.stat().st_size
    except OSError:
        return "the file cannot be read"
    names = {b"\x89PNG": "PNG", b"\xff\xd8\xff": "JPEG", b"BM": "BMP", b"GIF8": "GIF"} | dict.fromkeys(
        tiff.MAGIC, "TIFF"
    )
    kind = next((name for magic, name in names.items() if start.startswith(magic)), None)
    if kind is None:
        return f"{size:,} bytes starting with {start!r}, not a PNG, JPEG, BMP, GIF or TIFF"
    return f"a broken or truncated {kind} of {size:,} bytes"
