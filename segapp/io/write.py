"""Atomic writing: files and folders are written under a temporary name and renamed when complete."""

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from segapp.errors import FatalError, MisuseError, SegappError
from segapp.io.unfinished import open_unfinished

LONGEST_NAME = 150
"""Bytes of a file's name that leave room for what is added to it: file systems take 255."""


def shorten_name(name: str) -> str:
    """Return the name of a file; a long one is cut, and a digest keeps it different from others."""
    if len(os.fsencode(name)) <= LONGEST_NAME:
        return name
    digest = hashlib.blake2b(os.fsencode(name), digest_size=8).hexdigest()
    return f"{name[: LONGEST_NAME // 4]}~{digest}"


@contextmanager
def write_atomically(path: Path) -> Iterator[Path]:
    """Give a temporary path that is moved onto `path` on success.

    It lies beside `path`, has its suffix, and is removed on any error.

    The folder is created, and what a killed process was writing in it is removed. Other processes see the old
    file or none meanwhile, never an incomplete one. A full disk is a SegappError.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if (full := explain_full_disk(error, path)) is not None:
            raise full from error
        raise SegappError(f"{path.parent}: the folder cannot be created ({error.strerror}).") from error
    try:
        with open_unfinished(path) as temporary:
            try:
                yield temporary
                temporary.replace(path)
            except BaseException:  # also Ctrl-C and exits
                temporary.unlink(missing_ok=True)
                raise
    except OSError as error:
        if (full := explain_full_disk(error, path)) is not None:
            raise full from error
        if path.is_dir():
            raise SegappError(f"{path}: cannot be written, a folder of that name is there.") from error
        raise


def require_writable(folder: Path, remedy: str) -> None:
    """Make a folder; raise MisuseError with the remedy, before any work, if nothing can be written to it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise MisuseError(f"nothing can be written to {folder} ({error.strerror}); {remedy}.") from error


def require_free(folder: Path, names: Sequence[str], overwrite: bool) -> None:
    """Make the folder of a command's --output; raise MisuseError for files that it may not replace or cannot write."""
    there = [folder / name for name in names if (folder / name).exists()]
    if there and not overwrite:
        raise MisuseError(f"{there[0]}: is there already; name another --output, or replace it with --overwrite true.")
    require_writable(folder, "name another --output")


def explain_full_disk(error: BaseException, path: Path) -> FatalError | None:
    """Explain a disk, or a user's quota of it, that was full when `path` was written; return None for another error."""
    if not isinstance(error, OSError) or error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return None
    existing = next((folder for folder in path.absolute().parents if folder.is_dir()), Path("/"))
    free = shutil.disk_usage(existing).free / 1e6
    return FatalError(
        f"{path}: the disk is full ({free:.0f} MB free under {existing}), nothing was written. Free some space or "
        "write elsewhere."
        if error.errno == errno.ENOSPC
        else f"{path}: your disk quota is used up, nothing was written. Free some space or write elsewhere."
    )


@contextmanager
def write_folder_atomically(path: Path, overwrite: bool = False) -> Iterator[Path]:
    """Give a temporary folder beside `path` that is renamed to it on success and removed with its content on any error.

    Args:
        path: The folder.
        overwrite: Replace what is at `path`, as `write_atomically` does.

    Raises:
        MisuseError: `path` exists, also if another process has made it meanwhile, and is not to be replaced.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SegappError(f"{path.parent}: the folder cannot be created ({error.strerror}).") from error
    with open_unfinished(path, is_folder=True) as temporary:
        try:
            yield temporary
            if os.path.lexists(path) and not overwrite:
                raise MisuseError(f"{path} exists already; choose another name. Nothing was overwritten.")
            _replace_by_folder(path, temporary)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def _replace_by_folder(path: Path, folder: Path) -> None:
    """Rename a folder to `path`; what was there is moved aside before, and removed afterwards or put back."""
    if not os.path.lexists(path):
        folder.rename(path)
        return
    with open_unfinished(path, is_folder=True) as aside:
        former = aside / "replaced"
        try:
            path.rename(former)
            folder.rename(path)
        except BaseException:
            if os.path.lexists(former) and os.path.lexists(folder):  # Ctrl-C may come after the second
                former.rename(path)
            shutil.rmtree(aside, ignore_errors=True)
            raise
        shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def explain_errors(path: Path) -> Iterator[None]:
    """Turn the system's error about writing `path` into a SegappError that names it."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise SegappError(f"{path}: cannot be written ({error}).") from error
