"""Opens DICOM files: what they say, read within bounds, and nothing but their own bytes."""

import logging
import struct
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from segapp.errors import SegappError
from segapp.io.formats.bounds import OPENING, BoundedReader
from segapp.io.formats.jpeg_lossless import add_decoder
from segapp.io.formats.libraries import import_library

NAME = "DICOM"

PREAMBLE, WORD = 128, b"DICM"
"""Bytes before the word by which a file is recognised."""

GROUPS = (b"\x02\0", b"\x08\0", b"\0\x08")
"""The first bytes of a file without its header: of the meta information, or of a data set in either byte order."""

LONG_LENGTHS = (b"OB", b"OW", b"UN", b"SQ", b"UT", b"OF", b"OD", b"OL", b"OV", b"UC", b"UR", b"SV", b"UV")
"""Kinds of values whose length has four bytes and follows two empty ones."""

DEFLATED = ("1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.8.1")
"""Transfer syntaxes in which a file, or each frame, is a deflate stream."""

IDENTITY = ("SOPClassUID", "Modality", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription", "Rows",
            "NumberOfFrames", "ImagePositionPatient", "ImageOrientationPatient")  # fmt: skip
"""What says which files are one image."""

CONTENT = (
    *IDENTITY, "SOPInstanceUID", "FrameOfReferenceUID", "Columns", "SamplesPerPixel", "BitsAllocated", "BitsStored",
    "PixelRepresentation", "PhotometricInterpretation", "PixelSpacing", "ImagerPixelSpacing", "SpacingBetweenSlices",
    "SliceThickness", "RescaleSlope", "RescaleIntercept", "ModalityLUTSequence", "RedPaletteColorLookupTableDescriptor",
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "SegmentSequence", "SegmentationType",
    "TotalPixelMatrixRows",
)  # fmt: skip
"""What says how an image is read; everything else, private elements too, is skipped."""

PIXELS = (
    "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "BitsAllocated", "BitsStored", "HighBit",
    "PixelRepresentation", "PhotometricInterpretation", "PlanarConfiguration", "PixelData", "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths", "ModalityLUTSequence", "RescaleSlope", "RescaleIntercept",
    *(name.format(colour) for colour in ("Red", "Green", "Blue") for name in (
        "{}PaletteColorLookupTableDescriptor", "{}PaletteColorLookupTableData",
        "Segmented{}PaletteColorLookupTableData",
    )),
)  # fmt: skip


def import_pydicom(path: Path) -> Any:
    """Return the library that reads DICOM, without its log; raise MisuseError that says how to install it."""
    pydicom = import_library("pydicom", "medical", path, NAME)
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)  # what is wrong is raised, too
    add_decoder(pydicom)
    return pydicom


def begins_as_dicom(start: bytes) -> bool:
    """Return whether a file that begins with these bytes is DICOM."""
    return start[PREAMBLE : PREAMBLE + len(WORD)] == WORD


def explain_no_word(start: bytes) -> str:
    """Return why a file that begins with these bytes is not read, and what adds the header that it may lack."""
    reason = f"no {NAME} file: the word {WORD.decode()} is not at byte {PREAMBLE}"
    if start.startswith(GROUPS):
        return f"{reason}, so it lacks the header of files; add it with `dcmconv IN OUT` of DCMTK."
    return f"{reason}."


def read_elements(
    path: Path,
    wanted: Sequence[str] | None,
    with_pixels: bool = False,
    most_bytes: int = OPENING,
    most_reads: int | None = None,
) -> Any:
    """Return a pydicom Dataset of the wanted elements and the file's meta information.

    Args:
        path: The file.
        wanted: Keywords of the elements; None for all.
        with_pixels: Whether `PixelData` is read, as it is stored.
        most_bytes: Bytes that may be read before the pixels.
        most_reads: Times that the file may be read; default: by its size.

    Raises:
        SegappError: The file is no DICOM, is deflated, or makes its reader work for nothing.
    """
    pydicom = import_pydicom(path)
    with BoundedReader(path, NAME, most_bytes, most_reads) as file, silence_warnings():
        require_readable_syntax(path, file)
        file.seek(0)
        if with_pixels:
            file.allow_pixels()
        return pydicom.dcmread(
            file, stop_before_pixels=not with_pixels, specific_tags=None if wanted is None else list(wanted)
        )


def require_readable_syntax(path: Path, file: IO[bytes]) -> None:
    """Raise SegappError for a file that says no transfer syntax, or one that is a bomb as easily as an image."""
    if not begins_as_dicom(start := file.read(PREAMBLE + len(WORD))):
        raise SegappError(f"{path}: {explain_no_word(start)}")
    syntax = _find_syntax(file)
    if syntax is None:
        raise SegappError(f"{path}: {NAME} without a transfer syntax, or a truncated one; save it again.")
    if syntax in DEFLATED:
        raise SegappError(f"{path}: deflated {NAME} ({syntax}) is not read; save it uncompressed, as with dcmconv.")


def _find_syntax(file: IO[bytes]) -> str | None:
    """Return the transfer syntax of the file's meta information, whose elements are always little endian."""
    while len(start := file.read(8)) == 8:
        group, element, kind, length = struct.unpack("<HH2sH", start)
        if group != 2:
            return None
        if kind in LONG_LENGTHS:
            length = int.from_bytes(file.read(4), "little")
        if element == 0x10:
            return file.read(min(length, 64)).decode("ascii", "replace").strip("\0 ")
        file.seek(length, 1)
    return None


@contextmanager
def silence_warnings() -> Iterator[None]:
    """Leave out the library's remarks on values that are not to the standard."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"pydicom|highdicom|segapp\.io|contextlib")
        yield


def find_first(datasets: Sequence[Any], sequence: str, word: str) -> Any:
    """Return an element of the first item of a sequence, in the first dataset that has both; None without any."""
    for each in datasets:
        items = each.get(sequence)
        found = items[0].get(word) if items else None
        if found is not None and found != "":
            return found
    return None
