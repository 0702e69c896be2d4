"""Reads files of a Zarr store, a folder that may come from anywhere: regular files inside it, of bounded size."""

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from segapp.errors import SegappError
from segapp.system.regular_files import IRREGULAR

LARGEST_JSON = 2**24
"""Bytes of a metadata file: the colours of 100,000 labels take some eight million."""


def require_inner_path(owner: Path, name: object) -> str:
    """Return a path in a store; raise SegappError for one that is empty, absolute or leads out of it.

    Args:
        owner: The store, for the message.
        name: What its metadata, or the user, calls a group or an array.
    """
    parts = PurePosixPath(name).parts if isinstance(name, str) else ()
    plain = all(part not in ("..", "/") and "\\" not in part and part.isprintable() for part in parts)
    if not parts or not plain or len(str(name)) > 1000:
        raise SegappError(f"{owner}: OME-Zarr that names {str(name)[:100]!r}, which is no path inside it.")
    return "/".join(parts)


@contextmanager
def open_inner(store: Path, name: str, most: int) -> Iterator[IO[bytes] | None]:
    """Give a file of a store, opened; None where there is no such file.

    Raises:
        SegappError: It is a link, below a link, no regular file, or larger than `most` bytes.
    """
    path = _refuse_links(store, name)
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # a pipe without a writer does not wait
    except (FileNotFoundError, NotADirectoryError):
        yield None
        return
    except OSError as error:
        raise SegappError(f"{path}: cannot be read ({error.strerror}).") from error
    status = os.fstat(number)
    if not stat.S_ISREG(status.st_mode) or status.st_size > most:
        os.close(number)
        kind = IRREGULAR.get(stat.S_IFMT(status.st_mode), f"{status.st_size:,} bytes")
        raise SegappError(f"{path}: {kind}, where an OME-Zarr has a file of at most {most:,} bytes.")
    with os.fdopen(number, "rb") as file:
        yield file


def read_json(store: Path, name: str) -> dict[str, Any] | None:
    """Return the metadata in a file of a store; None where there is no such file; raise SegappError for no JSON."""
    with open_inner(store, name, LARGEST_JSON) as file:
        content = None if file is None else file.read(LARGEST_JSON)
    if content is None:
        return None
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        what = f"({error})" if content.strip() else "but empty"
        raise SegappError(f"{store / name}: metadata of an OME-Zarr that is no JSON {what}.") from error
    if not isinstance(found, dict):
        raise SegappError(f"{store / name}: metadata of an OME-Zarr that is no JSON object.")
    return found


def read_inner_stamp(store: Path, name: str) -> tuple[int, int] | None:
    """Return when a file of a store was changed (in ns) and its bytes; None where there is no such file."""
    try:
        status = (store / name).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_mtime_ns, status.st_size


def _refuse_links(store: Path, name: str) -> Path:
    place = store
    for part in PurePosixPath(name).parts:
        place /= part
        if place.is_symlink():
            raise SegappError(f"{place}: a link to {place.readlink()}, in an OME-Zarr; replace it by what it leads to.")
    return place
