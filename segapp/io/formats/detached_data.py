"""Voxels in another file than their header: a plain file beside it, and no other."""

import re
from dataclasses import dataclass
from pathlib import Path

from segapp.errors import SegappError
from segapp.system.regular_files import describe_irregular

UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\%]|^(-|LIST|LOCAL)|^\.{0,2}$|\s$")
"""Names that are a path, standard input, a pattern or a list for the libraries that read such headers."""


@dataclass(frozen=True)
class StoredVoxels:
    """Where the voxels of a header are."""

    file: Path
    """The file of the header, or the one beside it that the header names."""
    is_raw: bool
    """Whether they are not compressed."""


def find_data_file(header: Path, name: str, kind: str, attached: str) -> Path:
    """Return the file of voxels that a header names; raise SegappError unless it is a regular file beside it.

    Args:
        header: The file of the header.
        name: What the header says.
        kind: The name of the format.
        attached: The suffix of files that hold their header and voxels.
    """
    if UNSAFE.search(name):
        raise SegappError(
            f"{header}: {kind} header of voxels in {name[:80]!r}, and only one file beside it is read, by its name "
            f"without a folder; save both as one {attached} file."
        )
    file = header.parent / name
    if (found := describe_irregular(file)) is not None:
        raise SegappError(f"{header}: {kind} header of voxels in {file}: {found}; put that file beside its header.")
    if not file.resolve().is_relative_to(header.parent.resolve()):
        raise SegappError(f"{header}: {kind} header of voxels in {file}, a link out of the folder; copy it there.")
    return file
