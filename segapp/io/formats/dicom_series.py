"""Finds which files of a folder are one image: the slices of a series."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from segapp.errors import MisuseError
from segapp.io.formats.dicom_files import IDENTITY, PREAMBLE, WORD, begins_as_dicom, read_elements, silence_warnings
from segapp.io.formats.format import FileGroup
from segapp.natural_order import make_natural_key
from segapp.system.regular_files import describe_irregular

NOT_IMAGES = ("SEG", "RTSTRUCT", "RTPLAN", "RTDOSE", "RTRECORD", "SR", "PR", "KO", "REG", "DOC")
"""Modalities of files that belong to images and are none."""


@dataclass(frozen=True)
class SeriesFile:
    """A DICOM file, and the series whose slice it is.

    Attributes:
        path: The file.
        series: The UID of the series, None for a file that is an image of its own.
        label: Number and description of the series.
        is_image: Whether it is an image, or cannot be read, which is reported when it is read as one.
    """

    path: Path
    series: str | None = None
    label: str = ""
    is_image: bool = True


def find_series_files(path: Path) -> tuple[Path, ...]:
    """Return the files of the series that a file is of, in natural order; the file itself where it is an image."""
    if not _is_regular(path):  # a pipe would be waited for
        return (path,)
    own = read_identity(path, path.stat().st_mtime_ns)
    if own.series is None:
        return (path,)
    return _index_folder(path.parent, path.parent.stat().st_mtime_ns).get(own.series, (path,))


def belongs_to_image(path: Path) -> bool:
    """Return whether a file is no image, but made on one, such as a segmentation."""
    return not read_identity(path, path.stat().st_mtime_ns).is_image


def group_files(paths: Sequence[Path]) -> list[FileGroup]:
    """Return the images among DICOM files of one folder; a series of several is called as the folder if it is alone."""
    files = [read_identity(path, path.stat().st_mtime_ns) for path in sort_files(filter(_is_regular, paths))]
    images = [file for file in files if file.is_image]
    series: dict[str, list[SeriesFile]] = {}
    for file in images:
        series.setdefault(file.series or str(file.path), []).append(file)
    groups = list(series.values())
    broken = [FileGroup(path) for path in paths if not _is_regular(path)]
    if len(groups) == 1 and len(groups[0]) > 1:
        return [FileGroup(groups[0][0].path, ""), *broken]
    labels = _name_apart([files[0].label if len(files) > 1 else "" for files in groups])
    return [FileGroup(files[0].path, label or None) for files, label in zip(groups, labels, strict=True)] + broken


def sort_files(paths: Iterable[Path]) -> list[Path]:
    """Return files in the natural order of their names."""
    return sorted(paths, key=lambda path: (make_natural_key(path.name), path.name))


@lru_cache(maxsize=2**15)
def read_identity(path: Path, changed: int) -> SeriesFile:
    """Return the series of a file that was last changed at `changed`; an image of its own where it cannot be read."""
    try:
        with silence_warnings():
            return _read_identity(path)
    except MisuseError:  # the library is not installed
        raise
    except Exception:  # reported by what reads the image
        return SeriesFile(path)


def _read_identity(path: Path) -> SeriesFile:
    found = read_elements(path, IDENTITY)
    if found.get("Modality") in NOT_IMAGES or "Rows" not in found:
        return SeriesFile(path, is_image=False)
    is_slice = "ImagePositionPatient" in found and "ImageOrientationPatient" in found
    series = found.get("SeriesInstanceUID")
    if not is_slice or not series or int(found.get("NumberOfFrames") or 1) > 1:
        return SeriesFile(path)
    return SeriesFile(path, str(series), _make_label(found.get("SeriesNumber"), found.get("SeriesDescription")))


def _make_label(number: object, description: object) -> str:
    words = [str(each) for each in (number, description) if each not in (None, "")]
    return re.sub(r"[^\w.+]+", "-", "-".join(words)).strip("-.")[:64] or "series"


def _name_apart(labels: Sequence[str]) -> list[str]:
    """Return the labels, those that are there again with a number."""
    seen: dict[str, int] = {}
    named = []
    for label in labels:
        count = seen[label] = seen.get(label, 0) + 1
        named.append(label if count == 1 or not label else f"{label}-{count}")
    return named


@lru_cache(maxsize=256)
def _index_folder(folder: Path, changed: int) -> dict[str, tuple[Path, ...]]:
    """Return the files of each series in a folder that was last changed at `changed`."""
    found: dict[str, list[Path]] = {}
    for path in sort_files(path for path in folder.iterdir() if _may_be_slice(path)):
        if (series := read_identity(path, path.stat().st_mtime_ns).series) is not None:
            found.setdefault(series, []).append(path)
    return {series: tuple(paths) for series, paths in found.items()}


def _may_be_slice(path: Path) -> bool:
    if path.name.startswith(".") or not _is_regular(path):
        return False
    try:
        with path.open("rb") as file:
            return begins_as_dicom(file.read(PREAMBLE + len(WORD)))
    except OSError:  # a file that is not ours to read is reported where it is named as an image
        return False


def _is_regular(path: Path) -> bool:
    return describe_irregular(path) is None
