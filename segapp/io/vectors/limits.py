"""The size of vector files that are read."""

from pathlib import Path

from segapp.errors import MisuseError
from segapp.system.regular_files import describe_irregular

MAX_BYTES = 2**29
"""Bytes of a file, as of annotations in JSON."""
MAX_FEATURES = 2**21
"""Features of a layer."""
MAX_POINTS = 2**25
"""Points of all features: 512 MiB hold no more."""


def read_start(path: Path, count: int) -> tuple[bytes, int]:
    """Return the first bytes of a file and its size; raise MisuseError for a missing, a special or a large one."""
    if (kind := describe_irregular(path)) is not None:
        raise MisuseError(f"{path}: {kind}; name a regular file.")
    try:
        with path.open("rb") as file:
            start, size = file.read(count), path.stat().st_size
    except OSError as error:
        raise MisuseError(f"{path}: cannot be read ({error.strerror}).") from error
    if size > MAX_BYTES:
        raise MisuseError(
            f"{path}: {size:,} bytes, and {MAX_BYTES:,} at most are read; cut it to the surroundings of the images "
            "(ogr2ogr -clipsrc)."
        )
    if len(start) < count:
        raise MisuseError(f"{path}: cut off after {size:,} bytes, or empty; copy it again.")
    return start, size
