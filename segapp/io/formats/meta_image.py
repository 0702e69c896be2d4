"""MetaImage in one file: its header read by SimpleITK once it was checked, its voxels here."""

import re
import zlib
from collections.abc import Callable
from math import prod
from mmap import ACCESS_READ, mmap
from pathlib import Path

import numpy as np

from segapp.errors import SegappError
from segapp.io.formats.itk import LONGEST_HEADER, ItkFormat, arrange
from segapp.io.formats.volume import TRAILING, Volume

DATA_FILE = b"ElementDataFile"
"""The field of a MetaImage that says where its voxels are."""

FIELD = re.compile(r"[A-Za-z]\w{0,99}")
LONGEST_VALUE = 1000
NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
NUMBERS: dict[str, Callable[[int], int]] = {
    **dict.fromkeys(("DimSize", "ElementSpacing", "ElementSize", "CenterOfRotation"), lambda axes: axes),
    **dict.fromkeys(("Offset", "Origin", "Position"), lambda axes: axes),
    **dict.fromkeys(("TransformMatrix", "Orientation", "Rotation"), lambda axes: axes * axes),
}
"""How many numbers a field of a MetaImage holds, by the number of axes."""


class MetaImage(ItkFormat):
    """MetaImage with its header attached."""

    name = "MetaImage"
    suffixes = (".mha",)
    reader = "MetaImageIO"

    def recognises(self, start: bytes) -> bool:
        """Return whether a file begins as MetaImage usually does; others are known by their name."""
        return re.match(rb"(ObjectType|NDims)\s*=", start) is not None

    def check_header(self, path: Path, content: mmap) -> bool:
        """Return whether the voxels are not compressed; raise SegappError unless they follow the header."""
        return not _is_true(_read_fields(path, content), "CompressedData")

    def decode(self, path: Path, volume: Volume) -> np.ndarray:
        """Return all voxels (X, Y, Z, C); SimpleITK returns what is in memory where compressed ones are damaged."""
        with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
            fields = _read_fields(path, content)
            data = content[content.find(b"\n", content.find(DATA_FILE)) + 1 :]
        if _is_true(fields, "CompressedData"):
            decoder = zlib.decompressobj()
            data = decoder.decompress(data, volume.nbytes)
            decoder.decompress(decoder.unconsumed_tail, TRAILING)  # compares the checksum at the end
        if len(data) < volume.nbytes:
            raise SegappError(f"{path}: truncated MetaImage, {len(data):,} of {volume.nbytes:,} bytes are there.")
        is_big = _is_true(fields, "BinaryDataByteOrderMSB") or _is_true(fields, "ElementByteOrderMSB")
        dtype = volume.dtype.newbyteorder(">" if is_big else "<")
        return arrange(np.frombuffer(data, dtype, prod(volume.shape)), volume)


def _read_fields(path: Path, content: mmap) -> dict[str, str]:
    """Return the fields of a header whose voxels follow it.

    The last field says where they are. It must be there once: in a comment, too, it might be taken for it.
    """
    place = content.find(DATA_FILE)
    if not 0 <= place < LONGEST_HEADER:
        raise SegappError(f"{path}: no MetaImage, or one whose header is incomplete.")
    is_local = re.match(rb"[ \t]*=[ \t]*LOCAL[ \t]*\r?\n", content[place + len(DATA_FILE) : place + 100])
    if is_local is None or content.find(DATA_FILE, place + 1) >= 0:
        raise SegappError(f"{path}: MetaImage header of voxels in another file; save both as one .mha file.")
    return _check_fields(path, content[:place])


def _is_true(fields: dict[str, str], name: str) -> bool:
    return fields.get(name, "False").lower() == "true"


def _check_fields(path: Path, header: bytes) -> dict[str, str]:
    """Return the fields of a header; raise SegappError where one is not as it should be.

    The reader's own checks come too late: it writes beyond its memory where numbers are too many, or before `NDims`.
    """
    fields: dict[str, str] = {}
    for line in header.decode("latin-1").splitlines():
        name, equals, value = (each.strip() for each in line.partition("="))
        if not equals or not FIELD.fullmatch(name) or name in fields or not 0 < len(value) < LONGEST_VALUE:
            raise SegappError(f"{path}: MetaImage with the line {line[:60]!r} in its header, which cannot be read.")
        fields[name] = value
    axes = int(fields["NDims"]) if fields.get("NDims") in ("2", "3", "4") else 0
    for name, value in fields.items():
        if name in NUMBERS and not re.fullmatch(NUMBER + rf"(\s+{NUMBER}){{{NUMBERS[name](axes) - 1}}}", value):
            raise SegappError(f"{path}: MetaImage of {axes or 'unknown'} axes with {name} = {value[:60]}.")
    names = list(fields)
    if not axes or not {"DimSize", "ElementType"} <= fields.keys() or names.index("NDims") > _find_first_numbers(names):
        raise SegappError(f"{path}: MetaImage whose header lacks NDims (2 to 4, first), DimSize or ElementType.")
    if fields.keys() & {"HeaderSize"} or not _is_true({"BinaryData": "True"} | fields, "BinaryData"):
        raise SegappError(f"{path}: MetaImage of text, or with a header of a stated size; save it as binary.")
    return fields


def _find_first_numbers(names: list[str]) -> int:
    return next(index for index, name in enumerate([*names, "DimSize"]) if name in NUMBERS)
