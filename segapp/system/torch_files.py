"""Checks files of `torch.save` before torch reads them."""

import struct
import zipfile
from pathlib import Path

from segapp.errors import MisuseError
from segapp.system.pickle_content import check_pickle

ZIP = b"PK\x03\x04"
"""How torch recognises its zip format."""
MOST_METADATA = 32 * 2**20
"""Bytes of a checkpoint beside its weights; as Python objects they can take sixty times as much."""

END, LOCATOR, END_64 = 22, 20, 56
"""Bytes of the records at the end of a zip file."""


def check_archive(file: Path) -> int:
    """Return the bytes that a zip of `torch.save` holds beside its tensors, checked before torch reads it.

    Raises MisuseError for one that would expand, as `torch.save` stores without compression, or whose pickles hold
    more than plain data.
    """
    size = file.stat().st_size
    require_one_directory(file, size)
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        expanded = sum(entry.file_size for entry in entries)
        if expanded > size or any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise MisuseError(
                f"{file}: {size:,} bytes that would expand to {expanded:,}; torch.save does not compress, "
                "and its files take no more memory than they are long. It was refused."
            )
        pickles = [entry for entry in entries if entry.filename.lower().endswith(".pkl")]
        metadata_bytes = max((entry.file_size for entry in pickles), default=0)
        if metadata_bytes > MOST_METADATA:
            raise MisuseError(
                f"{file}: {metadata_bytes:,} bytes beside its weights, more than {MOST_METADATA:,}; it was refused."
            )
        for entry in pickles:
            check_pickle(file, archive.read(entry))
    return metadata_bytes


def require_one_directory(file: Path, size: int) -> None:
    """Raise zipfile.BadZipFile unless every reader finds the same directory: at the end, at the end record's offset.

    Python's reader allows bytes before and between, torch's does not: they could read different content.
    """
    with file.open("rb") as opened:
        opened.seek(max(0, size - END_64 - LOCATOR - END))
        tail = opened.read()
    end, locator = tail[-END:], tail[-END - LOCATOR : -END]
    fine = end[:4] == b"PK\x05\x06" and end[-2:] == b"\0\0"
    if fine and locator[:4] == b"PK\x06\x07":
        record, position = tail[:END_64], size - END - LOCATOR - END_64
        length, offset = struct.unpack("<QQ", record[40:56]) if len(record) == END_64 else (0, 0)
        (where,) = struct.unpack("<Q", locator[8:16])
        fine = record[:4] == b"PK\x06\x06" and where == position and length + offset == position
    elif fine:
        length, offset = struct.unpack("<II", end[12:20])
        fine = length + offset == size - END
    if not fine:
        raise zipfile.BadZipFile(f"{file}: its directory is not where it should be")


def check_weights_file(file: Path) -> None:
    """Raise MisuseError for a file of weights, in torch's zip format or the one before, that holds more than them.

    Raises ValueError or zipfile.BadZipFile for what is neither.
    """
    with file.open("rb") as opened:
        if opened.read(len(ZIP)) == ZIP:
            check_archive(file)
            return
        opened.seek(0)
        check_pickle(file, opened.read(MOST_METADATA), LEGACY_PICKLES)


LEGACY_PICKLES = 5
"""Magic number, version, system, content and the keys of the storages, whose bytes follow."""
