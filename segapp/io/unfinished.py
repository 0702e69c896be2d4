"""Temporary files and folders: their names, their locks, and the removal of those that a killed process left.

The process that writes one holds a lock on it. The kernel releases the lock when the process ends, however it ends, so
an unlocked one has no owner, on this host or on another with the same folder. (A process number would not tell:
containers with a common folder each count their own processes.)
"""

import fcntl
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

_NAME = re.compile(r"\..*\.segapp-[0-9a-f]{12}(\.[^.]*)?", re.DOTALL)
"""Names that `open_unfinished` gives: hidden, and unlike any that a user would give."""


@contextmanager
def open_unfinished(path: Path, is_folder: bool = False) -> Iterator[Path]:
    """Make an empty file or folder beside `path`, with its suffix, and hold its lock.

    The first one in a folder also removes what killed processes left there.
    """
    _remove_left_overs_once(path.parent.resolve())
    stem, suffix = (path.name, "") if is_folder else (path.stem, path.suffix)
    temporary = path.with_name(f".{stem[:100]}.segapp-{uuid.uuid4().hex[:12]}{suffix}")
    lock = _create(temporary, is_folder)
    try:
        yield temporary
    finally:
        os.close(lock)  # releases it


def remove_left_overs(folder: Path) -> None:
    """Remove files and folders that processes were writing straight in `folder` when they were killed."""
    if not os.access(folder, os.R_OK):
        return  # a folder may be writable and not readable
    for path in folder.iterdir():
        if _NAME.fullmatch(path.name):
            _remove_if_unlocked(path)


_remove_left_overs_once = cache(remove_left_overs)
"""Once per process and folder: listing 100,000 files before each of them is written would take longer than they do."""


def _create(temporary: Path, is_folder: bool) -> int:
    """Make a temporary file or folder and lock it; return the file descriptor to close."""
    while True:
        if is_folder:
            temporary.mkdir()
        # Neither opens what another user has put under that name, such as a link to a file that would be written over.
        new = os.O_RDONLY if is_folder else os.O_RDWR | os.O_CREAT | os.O_EXCL
        try:
            lock = os.open(temporary, new | os.O_NOFOLLOW, 0o666)
        except FileNotFoundError:
            if is_folder and temporary.parent.is_dir():
                continue  # as below, in the moment before it was opened
            raise
        if not _lock(lock) or _is_still(temporary, lock):
            return lock
        os.close(lock)  # another process took it for a left-over in the moment before it was locked


def _remove_if_unlocked(path: Path) -> None:
    try:
        lock = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:  # finished meanwhile, or not ours to open
        return
    try:
        if _lock(lock, wait=False) and _is_still(path, lock):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    except OSError:
        return  # a folder that may not be written; writing in it reports the error
    finally:
        os.close(lock)


def _lock(file: int, wait: bool = True) -> bool:
    """Lock an open file; return False where another process holds it, or where the file system has no locks."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def _is_still(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(file))
    except FileNotFoundError:
        return False
