"""Files as they are stored: the format found by content, errors told in one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import numpy as np

from segapp.errors import SegappError
from segapp.io import raster, tiff
from segapp.io.header import Header, Window, stored_window, turn_upright

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})
"""Lower-case suffixes that can be read."""

MAX_PIXELS = 2**28
"""Height x width that is decoded whole at most (16,384 x 16,384); a larger TIFF is read in windows."""

LFS_POINTER = b"version https://git-lfs"


def read_raw(path: Path) -> np.ndarray:
    """(H, W) or (H, W, C) as stored: palette indices and alpha kept, bits as 0 and 1, orientation applied.

    Raises SegappError that names the file and what was found.
    """
    height, width = raw_shape(path)
    pixels = raw_window(path, 0, 0, height, width)
    return pixels[..., 0] if pixels.shape[2] == 1 else pixels


def raw_shape(path: Path) -> tuple[int, int]:
    """Height, width after orientation, from the header alone; raises SegappError."""
    return read_header(path).upright


def raw_window(path: Path, y: int, x: int, h: int, w: int) -> np.ndarray:
    """(h, w, C) as stored, a copy, inside the image only; of a TIFF only what lies under it is decoded."""
    header = read_header(path)
    height, width = header.upright
    if not (0 <= y < y + h <= height and 0 <= x < x + w <= width):
        raise SegappError(f"{path}: window {y, x, h, w} is not inside its {height} x {width} pixels.")
    window = stored_window(header, (y, x, h, w))
    with _telling(path):
        pixels = _stored(path, header, window)
    return np.array(turn_upright(pixels, header.orientation), order="C")


def read_header(path: Path) -> Header:
    """The file without its pixels; raises SegappError."""
    with _telling(path):
        return _header(path, *_stamp(path))


def _stored(path: Path, header: Header, window: Window) -> np.ndarray:
    y, x, h, w = window
    if header.format == "TIFF":
        _bound(path, h, w)
        return tiff.read_window(path, header, window)
    _bound(path, header.height, header.width)
    return _decoded(path, *_stamp(path))[y : y + h, x : x + w]


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=1024)
def _header(path: Path, mtime: int, size: int) -> Header:
    with path.open("rb") as file:
        magic = file.read(len(LFS_POINTER))
    if not magic:
        raise SegappError(f"{path}: the file is empty.")
    if magic == LFS_POINTER:
        raise SegappError(f"{path}: a Git LFS pointer instead of an image; fetch it with `git lfs pull`.")
    header = tiff.read_header(path) if magic.startswith(tiff.MAGIC) else raster.read_header(path)
    if min(header.height, header.width) < 1:
        raise SegappError(f"{path}: {header.format} of {header.height} x {header.width} pixels.")
    return header


@lru_cache(maxsize=2)  # an image and its mask: several crops of one pair decode each file once
def _decoded(path: Path, mtime: int, size: int) -> np.ndarray:
    pixels = raster.decode(path, _header(path, mtime, size))
    pixels.flags.writeable = False
    return pixels


def _bound(path: Path, height: int, width: int) -> None:
    if height * width > MAX_PIXELS:
        raise SegappError(
            f"{path}: {height} x {width} pixels would have to be decoded whole, segapp does so up to "
            f"{MAX_PIXELS:,}; save it as a tiled TIFF, which is read in windows."
        )


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    """Decoders raise whatever they like (struct.error, SyntaxError, …): here it becomes a sentence."""
    try:
        yield
    except SegappError:
        raise
    except FileNotFoundError as error:
        raise SegappError(f"{path}: there is no such file.") from error
    except MemoryError as error:
        raise SegappError(f"{path}: not enough memory to decode it.") from error
    except Exception as error:
        raise SegappError(f"{path}: {_found(path)} ({type(error).__name__}: {error}).") from error


def _found(path: Path) -> str:
    if path.is_dir():
        return "a folder, not an image file"
    try:
        with path.open("rb") as file:
            start = file.read(8)
        size = path.stat().st_size
    except OSError:
        return "the file cannot be read"
    names = {b"\x89PNG": "PNG", b"\xff\xd8\xff": "JPEG", b"BM": "BMP"} | dict.fromkeys(tiff.MAGIC, "TIFF")
    kind = next((name for magic, name in names.items() if start.startswith(magic)), None)
    if kind is None:
        return f"{size:,} bytes starting with {start!r}, not a PNG, JPEG, BMP or TIFF"
    return f"a broken or truncated {kind} of {size:,} bytes"
