"""The formats that are read: one line each."""

import re
from pathlib import Path, PurePath

from segapp.errors import SegappError
from segapp.io.formats.avif import Avif
from segapp.io.formats.bmp import Bmp
from segapp.io.formats.dicom import Dicom
from segapp.io.formats.format import START, Format
from segapp.io.formats.gif import Gif
from segapp.io.formats.hdf5 import Hdf5
from segapp.io.formats.jpeg import Jpeg
from segapp.io.formats.jpeg2000 import Jpeg2000
from segapp.io.formats.meta_image import MetaImage
from segapp.io.formats.nifti import Nifti
from segapp.io.formats.nrrd import Nrrd
from segapp.io.formats.numpy_array import NumpyArray
from segapp.io.formats.ome_zarr import OmeZarr
from segapp.io.formats.png import Png
from segapp.io.formats.pnm import Pnm
from segapp.io.formats.targa import Targa
from segapp.io.formats.tiff import Tiff
from segapp.io.formats.webp import WebP
from segapp.system.regular_files import describe_irregular

MASK_FALLBACK = Png()
"""The format of the masks of images whose own format cannot hold them."""

FORMATS: tuple[Format, ...] = (
    MASK_FALLBACK,
    Jpeg(),
    Dicom(),  # before TIFF, as which it may begin
    Tiff(),
    Bmp(),
    Gif(),
    WebP(),
    Jpeg2000(),
    Avif(),
    Pnm(),
    Targa(),
    Nifti(),
    Nrrd(),
    MetaImage(),
    NumpyArray(),
    OmeZarr(),
    Hdf5(),
)

NO_SUFFIX = re.compile(r"(\.\d+)?")

LFS_POINTER = b"version https://git-lfs"


def list_suffixes() -> list[str]:
    """Return the endings of file names that are read, lower-case and sorted."""
    return sorted(suffix for each in FORMATS for suffix in each.suffixes)


def list_written_suffixes() -> list[str]:
    """Return the endings of files that images can be written to."""
    return sorted(suffix for each in FORMATS if each.writes_images for suffix in _list_written(each))


def list_mask_suffixes() -> list[str]:
    """Return the endings of files that masks can be written to."""
    return sorted(suffix for each in FORMATS if each.writes_masks for suffix in _list_written(each))


def list_windowed() -> str:
    """Return the names of the formats that are read in windows, for messages."""
    return " or ".join(each.name for each in FORMATS if each.has_windows)


def find_suffix(path: PurePath) -> str:
    """Return the ending, as it is written, by which a name is that of an image; empty for other names."""
    name = path.name.lower()
    found = max((suffix for suffix in list_suffixes() if name.endswith(suffix) and name != suffix), key=len, default="")
    return path.name[len(name) - len(found) :] if found else ""


def remove_suffix(path: PurePath) -> PurePath:
    """Return a path without the ending by which its name is that of an image; other paths as they are."""
    suffix = find_suffix(path)
    return path.with_name(path.name[: len(path.name) - len(suffix)]) if suffix else path


def find_unnamed_format(path: Path) -> Format | None:
    """Return the format of a file whose name has no suffix, or a number for one, by its first bytes; None for others.

    Scanners and archives name files of DICOM so, as IM_0001 or 1.2.840.113619.2.
    """
    if find_suffix(path) or not NO_SUFFIX.fullmatch(path.suffix) or describe_irregular(path) is not None:
        return None
    try:
        start = _read_start(path)
    except OSError:
        return None
    return next((each for each in FORMATS if each.has_unnamed_files and each.recognises(start)), None)


def is_image(path: Path) -> bool:
    """Return whether a file is an image: by its name, or if that has no suffix by its first bytes."""
    return bool(find_suffix(path)) or find_unnamed_format(path) is not None


def find_named_format(path: Path) -> Format | None:
    """Return the format that a file's name promises, or None."""
    suffix = find_suffix(path).lower()
    return next((each for each in FORMATS if suffix in each.suffixes), None)


def find_mask_suffix(image: Path, grey: bool = False) -> str:
    """Return the suffix of the mask of an image: the image's own, where masks can be written in its format.

    Args:
        image: The image's file.
        grey: Whether the values are no classes.
    """
    found = find_mask_format(image, grey)
    own = find_suffix(image)
    return own if own.lower() in _list_written(found) else found.suffixes[0]


def _list_written(found: Format) -> tuple[str, ...]:
    return found.suffixes if found.written_suffixes is None else found.written_suffixes


def find_mask_format(image: Path, grey: bool = False) -> Format:
    """Return the format of the mask of an image, by the image's name; `grey` for values that are no classes."""
    found = find_named_format(image) or find_unnamed_format(image)
    return (
        found if found is not None and found.writes_masks and not (grey and found.masks_are_classes) else MASK_FALLBACK
    )


def find_format(path: Path) -> Format:
    """Return the format of a file by its first bytes, whatever its name says; raise SegappError for no image."""
    named = find_named_format(path)
    start = _read_start(path)
    if not start:
        raise SegappError(f"{path}: the file is empty.")
    if start.startswith(LFS_POINTER):
        raise SegappError(f"{path}: a Git LFS pointer instead of an image; fetch it with `git lfs pull`.")
    # The name decides where content is of two formats: DICOM may begin as TIFF.
    candidates = FORMATS if named is None else (named, *FORMATS)
    found = next((each for each in candidates if each.recognises(start)), None)
    if found is None and named is not None and not named.magic:
        return named
    if found is None and named is not None and (reason := named.explain_start(start)):
        raise SegappError(f"{path}: {reason}")
    if found is None:
        names = [each.name for each in FORMATS]
        raise SegappError(
            f"{path}: {path.stat().st_size:,} bytes starting with {start[:8]!r}, not a {', '.join(names[:-1])} or "
            f"{names[-1]}."
        )
    return found


def find_folder_format(path: Path) -> Format | None:
    """Return the format of an image that is a folder, by its suffix; None for files and other folders."""
    return next((each for each in FORMATS if each.is_folder and _has_suffix(path, each) and path.is_dir()), None)


def is_folder_name(path: PurePath) -> bool:
    """Return whether a folder of this name is one image, and no folder of images."""
    return any(each.is_folder and _has_suffix(path, each) for each in FORMATS)


def _has_suffix(path: PurePath, found: Format) -> bool:
    name = path.name.lower()
    return name.endswith(found.suffixes) and name not in found.suffixes


def describe_name(path: Path, found: Format) -> str:
    """Return a note for a message about a file whose name promises another format than was found; else empty."""
    named = find_named_format(path)
    return "" if named is None or named is found else f", although it is named {find_suffix(path)}"


def _read_start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(START)
