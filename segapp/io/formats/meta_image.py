"""MetaImage, of one file or with a detached header: that is read by SimpleITK once it was checked, the voxels here."""

import os
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from mmap import mmap
from pathlib import Path

import numpy as np

from segapp.errors import SegappError
from segapp.io.formats.detached_data import StoredVoxels, find_data_file
from segapp.io.formats.itk import LONGEST_HEADER, ItkFormat, arrange, map_file
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
    """MetaImage, of one file or with the voxels in a file beside its header."""

    name = "MetaImage"
    suffixes = (".mha", ".mhd")
    written_suffixes = (".mha",)
    reader = "MetaImageIO"

    def recognises(self, start: bytes) -> bool:
        """Return whether a file begins as MetaImage usually does; others are known by their name."""
        return re.match(rb"(ObjectType|NDims)\s*=", start) is not None

    def find_voxels(self, path: Path, content: mmap) -> StoredVoxels:
        """Return where the voxels are; raise SegappError unless they follow the header or are in a file beside it."""
        header = _read_header(path, content, self.is_detached(path))
        return StoredVoxels(header.file, not _is_true(header.fields, "CompressedData"))

    def decode(self, path: Path, volume: Volume) -> np.ndarray:
        """Return all voxels (X, Y, Z, C); SimpleITK returns what is in memory where compressed ones are damaged."""
        with map_file(path) as content:
            header = _read_header(path, content, self.is_detached(path))
        with header.file.open("rb") as file:
            file.seek(header.start)
            data = file.read(volume.nbytes + TRAILING)
        if _is_true(header.fields, "CompressedData"):
            data = _decompress(header.file, data, volume.nbytes)
        if len(data) < volume.nbytes:
            raise SegappError(
                f"{header.file}: truncated MetaImage, {len(data):,} of {volume.nbytes:,} bytes are there."
            )
        is_big = any(_is_true(header.fields, name) for name in ("BinaryDataByteOrderMSB", "ElementByteOrderMSB"))
        dtype = volume.dtype.newbyteorder(">" if is_big else "<")
        return arrange(np.frombuffer(data, dtype, prod(volume.shape)), volume)


@dataclass(frozen=True)
class _Header:
    fields: dict[str, str]
    file: Path
    """The file of the voxels."""
    start: int
    """Where they begin in it."""


def _read_header(path: Path, content: mmap, is_detached: bool) -> _Header:
    """Return the fields of a header, the last of which says where the voxels are.

    It must be there once: in a comment, too, it might be taken for it.
    """
    place = content.find(DATA_FILE)
    if not 0 <= place < LONGEST_HEADER:
        raise SegappError(f"{path}: no MetaImage, or one whose header is incomplete.")
    start = place + len(DATA_FILE)
    value = re.match(rb"[ \t]*=[ \t]*([^\r\n]+?)[ \t]*\r?\n", content[start : start + LONGEST_VALUE] + b"\n")
    if value is not None and content.find(DATA_FILE, start) < 0:
        if value[1] == b"LOCAL":
            return _Header(_check_fields(path, content[:place]), path, start + value.end())
        if is_detached and not content[start + value.end() :].strip():
            fields = _check_fields(path, content[:place])
            return _Header(fields, find_data_file(path, os.fsdecode(value[1]), "MetaImage", ".mha"), 0)
    where = "several files" if is_detached else "another file"
    raise SegappError(f"{path}: MetaImage header of voxels in {where}; save all as one .mha file.")


def _decompress(path: Path, data: bytes, size: int) -> bytes:
    decoder = zlib.decompressobj()
    voxels = decoder.decompress(data, size)
    if decoder.decompress(decoder.unconsumed_tail, TRAILING):  # also compares the checksum at the end
        raise SegappError(f"{path}: MetaImage of more voxels than its header states; correct the sizes there.")
    return voxels


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
