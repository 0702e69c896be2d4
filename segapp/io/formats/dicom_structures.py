"""Structure sets of DICOM radiotherapy: regions of interest, outlined by contours in the coordinates of the patient."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segapp.errors import SegappError
from segapp.io.formats.dicom_files import NAME, read_elements, silence_warnings
from segapp.system.regular_files import describe_irregular

STRUCTURES = "1.2.840.10008.5.1.4.1.1.481.3"
"""The SOP class of structure sets."""

KIND = f"{NAME} structure set"

SEQUENCES = ("StructureSetROISequence", "ROIContourSequence")
"""What names the regions, and what holds their contours."""

CONTOUR_DATA = 0x30060050

MOST_BYTES = 2**26
"""Bytes of a file: several times those of a hundred organs on 500 slices."""

MOST_READS = 2**21
"""Times that a file may be read: some 20 for each contour."""

ITEMS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")
"""The beginning of an item of a sequence, little and big endian."""

MOST_ITEMS = 2**17
"""Items in a file, which the library takes 0.1 ms for: one or two for each contour."""

MOST_ROIS, MOST_CONTOURS = 2**12, 2**16

MOST_POINTS, MOST_POINTS_IN_ALL = 2**18, 2**23
"""Points of a contour, and of a file."""

LONGEST_NAME = 64
"""Characters of a name, as in the standard."""

LARGEST = 1e6
"""Millimetres from the origin: a kilometre."""


@dataclass(frozen=True, eq=False)
class Contour:
    """One contour of a region.

    Attributes:
        points: (N, 3) float64, LPS in mm.
        kind: Its geometric type, as CLOSED_PLANAR.
        instances: The SOP instances of the images that it was drawn on, where the file says so.
    """

    points: np.ndarray
    kind: str
    instances: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Region:
    """A region of interest (ROI).

    Attributes:
        name: As the file has it; empty where it has none.
        space: The UID of the frame of reference that its coordinates are in; empty where the file has none.
        contours: In the order of the file.
    """

    name: str
    space: str
    contours: Sequence[Contour]


def is_structure_set(found: Any) -> bool:
    """Return whether a file is a structure set."""
    return bool(found.get("SOPClassUID") == STRUCTURES or found.get("Modality") == "RTSTRUCT")


def read_structure_set(path: Path) -> list[Region]:
    """Return the regions of a structure set in their order; raise SegappError for another file or a damaged one."""
    try:
        _require_small(path)
        with silence_warnings():
            found = read_elements(
                path, ("SOPClassUID", "Modality", *SEQUENCES), most_bytes=MOST_BYTES, most_reads=MOST_READS
            )
            if not is_structure_set(found):
                modality = found.get("Modality", "unknown")
                raise SegappError(f"{path}: no {KIND}, but {NAME} of the modality {modality}; correct `masks`.")
            return list(_read_regions(path, found))
    except SegappError:
        raise
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0][:200]
        raise SegappError(f"{path}: a broken or truncated {KIND} ({type(error).__name__}: {reason}).") from error


def _require_small(path: Path) -> None:
    """Raise SegappError for a file that would keep the library busy for minutes."""
    if (size := path.stat().st_size) > MOST_BYTES:
        raise SegappError(f"{path}: {KIND} of {size:,} bytes; at most {MOST_BYTES:,} are read. Divide it.")
    if (reason := describe_irregular(path)) is not None:
        raise SegappError(f"{path}: {reason}, not a {KIND}.")
    stored = path.read_bytes()
    if (count := max(map(stored.count, ITEMS))) > MOST_ITEMS:
        raise SegappError(f"{path}: {KIND} of {count:,} items; at most {MOST_ITEMS:,} are read. Divide it.")


def _require_whole(path: Path, found: Any) -> None:
    """Raise SegappError for a file that ends in a sequence: the library returns the items that are there."""
    for word in SEQUENCES:
        element = found.get_item(word)
        if isinstance(element.value, bytes) and element.length != len(element.value):
            raise SegappError(f"{path}: a truncated {KIND}; copy it again.")


def _read_regions(path: Path, found: Any) -> Iterator[Region]:
    if any(word not in found for word in SEQUENCES):
        raise SegappError(f"{path}: {KIND} without regions or without their contours; it is truncated, or empty.")
    _require_whole(path, found)
    heads, outlines = list(found.StructureSetROISequence), list(found.ROIContourSequence)
    if max(len(heads), len(outlines)) > MOST_ROIS:
        raise SegappError(f"{path}: {KIND} of {len(heads):,} regions; at most {MOST_ROIS:,} are read. Divide it.")
    drawn: dict[int, list[Any]] = {int(head.ROINumber): [] for head in heads}
    if len(drawn) < len(heads):
        raise SegappError(f"{path}: {KIND} of several regions of one number; save it again.")
    for outline in outlines:
        number = int(outline.ReferencedROINumber)
        if number not in drawn:
            raise SegappError(f"{path}: {KIND} with contours of the region {number}, which it does not name.")
        drawn[number] += list(outline.get("ContourSequence") or ())
    if (count := sum(map(len, drawn.values()))) > MOST_CONTOURS:
        raise SegappError(f"{path}: {KIND} of {count:,} contours; at most {MOST_CONTOURS:,} are read. Divide it.")
    left = MOST_POINTS_IN_ALL
    for head in heads:
        name = str(head.get("ROIName") or "").strip()[:LONGEST_NAME]
        contours = []
        for number, item in enumerate(drawn[int(head.ROINumber)], start=1):
            contours.append(_read_contour(f"{path}: contour {number} of {name!r}", item))
            if (left := left - len(contours[-1].points)) < 0:
                raise SegappError(
                    f"{path}: {KIND} of more points than the {MOST_POINTS_IN_ALL:,} that are read; divide it."
                )
        yield Region(name, str(head.get("ReferencedFrameOfReferenceUID") or ""), contours)


def _read_contour(where: str, item: Any) -> Contour:
    points = _parse_points(where, item.get_item(CONTOUR_DATA))
    stated = item.get("NumberOfContourPoints")
    if stated not in (None, "") and int(stated) != len(points):
        raise SegappError(f"{where} has {len(points):,} points, but states {int(stated):,}; save the file again.")
    images = item.get("ContourImageSequence") or ()
    instances = tuple(str(image.get("ReferencedSOPInstanceUID") or "") for image in images)
    return Contour(points, str(item.get("ContourGeometricType") or "").strip(), tuple(filter(None, instances)))


def _parse_points(where: str, element: Any) -> np.ndarray:
    """Return (N, 3) points of an element that is not parsed yet: the library makes an object of each number."""
    stored = b"" if element is None else bytes(element.value or b"")
    count = stored.count(b"\\") + 1
    if count > 3 * MOST_POINTS:
        raise SegappError(f"{where} has {count // 3:,} points; at most {MOST_POINTS:,} are read. Simplify it.")
    try:
        numbers = np.array([float(each) for each in stored.strip(b"\0 ").split(b"\\")])
    except ValueError:
        raise SegappError(f"{where} has no coordinates, or some that are no numbers; save the file again.") from None
    if len(numbers) % 3:
        raise SegappError(f"{where} has {len(numbers):,} coordinates, which are not x, y and z of points.")
    if not np.abs(numbers).max() <= LARGEST:  # NaN is not
        raise SegappError(f"{where} has coordinates that are not finite or beyond {LARGEST:,.0f} mm; correct it.")
    return numbers.reshape(-1, 3)
