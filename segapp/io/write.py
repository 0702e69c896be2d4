"""Whole files or none: everything is written beside its place and moved there when complete."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import tifffile

from segapp.batch import IGNORE_INDEX
from segapp.errors import FatalError, MisuseError, SegappError
from segapp.io.unfinished import unfinished

TIFF_SUFFIXES = (".tif", ".tiff")
IGNORE_COLOUR = (224, 224, 192)  # what Pascal VOC paints "void" with


@contextmanager
def write_atomically(path: Path) -> Iterator[Path]:
    """Give a temporary path that is moved onto `path` on success.

    It lies beside `path`, has its suffix, and is removed on any error.

    The folder is created, and what a killed process was writing in it is removed. Whoever looks meanwhile sees the old
    file or none, never half a one. A full disk is a SegappError.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if (full := explain_full_disk(error, path)) is not None:
            raise full from error
        raise SegappError(f"{path.parent}: the folder cannot be created ({error.strerror}).") from error
    try:
        with unfinished(path) as temporary:
            try:
                yield temporary
                temporary.replace(path)
            except BaseException:  # Ctrl-C and exits leave no half file either
                temporary.unlink(missing_ok=True)
                raise
    except OSError as error:
        if (full := explain_full_disk(error, path)) is not None:
            raise full from error
        raise


def require_writable(folder: Path, remedy: str) -> None:
    """Make a folder; MisuseError with the remedy, before any work, where nothing can be written to it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise MisuseError(f"nothing can be written to {folder} ({error.strerror}); {remedy}.") from error


def explain_full_disk(error: BaseException, path: Path) -> FatalError | None:
    """Explain a disk, or a user's quota of it, that was full when `path` was written; return None for another error."""
    if not isinstance(error, OSError) or error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return None
    existing = next((folder for folder in path.absolute().parents if folder.is_dir()), Path("/"))
    free = shutil.disk_usage(existing).free / 1e6
    return FatalError(
        f"{path}: the disk is full ({free:.0f} MB free under {existing}), nothing was written. Free some space or "
        "write elsewhere."
        if error.errno == errno.ENOSPC
        else f"{path}: your disk quota is used up, nothing was written. Free some space or write elsewhere."
    )


@contextmanager
def write_folder_atomically(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside `path` that is renamed to it on success and removed with its content on any error.

    Raises MisuseError when `path` exists, also when it came into being meanwhile.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SegappError(f"{path.parent}: the folder cannot be created ({error.strerror}).") from error
    with unfinished(path, is_folder=True) as temporary:
        try:
            yield temporary
            if os.path.lexists(path):
                raise MisuseError(f"{path} exists already; choose another name, nothing is overwritten.")
            temporary.rename(path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def write_mask(path: Path, indices: np.ndarray, palette: Sequence[tuple[int, int, int]]) -> None:
    """Write (H, W) uint8 class indices as a palette PNG, or for `.tif`, `.tiff` as a compressed palette TIFF.

    (`segapp.io.open_tiff_rows` writes a TIFF row by row, with the georeference and resolution of its image.)

    Values are 0 … len(palette)-1, or 255 = ignore. Raises SegappError for others, and when writing fails.
    """
    path = Path(path)
    if indices.ndim != 2 or indices.dtype != np.uint8:
        raise SegappError(f"{path}: a mask is (H, W) uint8, got {indices.shape} {indices.dtype}.")
    present = np.flatnonzero(np.bincount(indices.ravel(), minlength=256))
    strangers = [int(i) for i in present if len(palette) <= i != IGNORE_INDEX]
    if strangers:
        raise SegappError(f"{path}: the mask holds {strangers}, but the palette has {len(palette)} colours.")
    with explain_errors(path), write_atomically(path) as temporary:
        if path.suffix.lower() in TIFF_SUFFIXES:
            _write_tiff(temporary, indices, photometric="palette", colormap=colour_map(palette))
        else:
            colours = all_colours(palette)[: 256 if IGNORE_INDEX in present else len(palette)]
            image = PIL.Image.fromarray(indices)
            image.putpalette(colours.tobytes())
            image.save(temporary, format="PNG")


def write_image(path: Path, pixels: np.ndarray) -> None:
    """Write (H, W) or (H, W, 3) uint8 in the format of the suffix; raises SegappError when writing fails."""
    path = Path(path)
    with explain_errors(path), write_atomically(path) as temporary:
        if path.suffix.lower() in TIFF_SUFFIXES:
            _write_tiff(temporary, pixels, photometric="rgb" if pixels.ndim == 3 else "minisblack")
        else:
            PIL.Image.fromarray(pixels).save(temporary)


def _write_tiff(path: Path, pixels: np.ndarray, **options: Any) -> None:
    tifffile.imwrite(path, pixels, compression="adobe_deflate", metadata=None, **options)


def all_colours(palette: Sequence[tuple[int, int, int]]) -> np.ndarray:
    """Return (256, 3) uint8: a colour for every value of a byte, that of ignored pixels included."""
    colours = np.zeros((256, 3), np.uint8)
    colours[: len(palette)] = palette
    colours[IGNORE_INDEX] = IGNORE_COLOUR
    return colours


def colour_map(palette: Sequence[tuple[int, int, int]]) -> np.ndarray:
    """Return (3, 256) uint16: TIFF's table of colours, whose full brightness is 65535."""
    return np.multiply(all_colours(palette).T, 257, dtype=np.uint16)


@contextmanager
def explain_errors(path: Path) -> Iterator[None]:
    """Turn the system's error about writing `path` into a SegappError that names it."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise SegappError(f"{path}: cannot be written ({error}).") from error
