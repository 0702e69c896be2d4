"""NRRD, of one file or with a detached header, as SimpleITK reads it once its header was checked."""

import os
import re
from mmap import mmap
from pathlib import Path

from segapp.errors import SegappError
from segapp.io.formats.detached_data import StoredVoxels, find_data_file
from segapp.io.formats.itk import LONGEST_HEADER, ItkFormat

DATA_FILE = re.compile(rb"[\r\n]\s*data ?file\s*:[ \t]*([^\r\n]*)", re.IGNORECASE)
SKIP = re.compile(rb"[\r\n]\s*(?:byte|line) ?skip\s*:(?![ \t]*0[ \t]*[\r\n])", re.IGNORECASE)


class Nrrd(ItkFormat):
    """NRRD, of one file or with the voxels in a file beside its header."""

    name = "NRRD"
    suffixes = (".nrrd", ".nhdr")
    written_suffixes = (".nrrd",)
    magic = (b"NRRD000",)
    reader = "NrrdImageIO"

    def find_voxels(self, path: Path, content: mmap) -> StoredVoxels:
        """Return where the voxels are; raise SegappError for a header that names other files than one beside it."""
        start = content[:LONGEST_HEADER]
        end = start.find(b"\n\n")
        # Where lines end otherwise, programs disagree on where the header does.
        header = content[: end + 1] if end >= 0 else content
        is_raw = re.search(rb"[\r\n]encoding: *raw\b", header, re.IGNORECASE) is not None
        if DATA_FILE.search(header) is None:
            return StoredVoxels(path, is_raw)
        if not self.is_detached(path):
            raise SegappError(f"{path}: NRRD header of voxels in another file; save both as one .nrrd file.")
        return StoredVoxels(_find_beside(path, content), is_raw)


def _find_beside(path: Path, content: mmap) -> Path:
    header = content[: LONGEST_HEADER + 1]
    names = DATA_FILE.findall(header)
    if len(header) > LONGEST_HEADER or len(names) > 1 or SKIP.search(header):
        raise SegappError(
            f"{path}: NRRD header that names several files, skips a part of one, or has more than "
            f"{LONGEST_HEADER:,} bytes; save it as one .nrrd file."
        )
    return find_data_file(path, os.fsdecode(names[0]), "NRRD", ".nrrd")
