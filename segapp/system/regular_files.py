"""The kinds of file that are not read: a pipe waits for ever, a device has no end."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from segapp.errors import MisuseError

MISSING = "there is no such file"

IRREGULAR = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


def describe_irregular(path: Path) -> str | None:
    """Return what `path` is if it is no regular file, such as "a named pipe"; None for a regular one."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return f"a link to {path.readlink()}, which does not exist" if path.is_symlink() else MISSING
    except OSError as error:
        return "a link that leads back to itself" if path.is_symlink() else f"not readable ({error.strerror})"
    return IRREGULAR.get(stat.S_IFMT(mode))


def read_regular(path: Path, most: int) -> bytes:
    """Return the bytes of a regular file of `most` bytes at most; raises MisuseError for anything else."""
    if (kind := describe_irregular(path)) is not None:
        raise MisuseError(f"{path}: {kind}{'' if kind == MISSING else ', not a regular file'}.")
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise MisuseError(f"{path}: cannot be read ({error.strerror}).") from error
    if len(content) > most:
        raise MisuseError(f"{path}: {size:,} bytes; {most:,} at most are read.")
    return content


def refuse_links_out(folder: Path) -> None:
    """Raise MisuseError for a link inside a folder that leads out of it, and for a pipe, a socket or a device.

    A folder from elsewhere could otherwise have files of the user read into its page, or written over. A link between
    files of the folder, such as `latest`, is harmless. The folder itself may not be a link either.
    """
    refuse_linked_folder(folder, folder.parent)
    root = folder.resolve()
    waiting = [folder] if folder.is_dir() else []
    while waiting:  # `os.walk` calls itself for every folder in another
        for path in _list_folder(waiting.pop()):
            if path.is_symlink():
                if not _is_inside(path, root):
                    raise MisuseError(f"{path}: a link to {path.readlink()}, out of {folder}; replace it by the file.")
                continue
            kind = describe_irregular(path)
            if kind == IRREGULAR[stat.S_IFDIR]:
                waiting.append(path)
            elif kind is not None:
                raise MisuseError(f"{path}: {kind}, which is neither read nor written; remove it.")


def _list_folder(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise MisuseError(f"{str(folder)[:200]}: cannot be read ({error.strerror}); remove it.") from error


def refuse_linked_folder(folder: Path, root: Path) -> None:
    """Raise MisuseError if a folder on the way from `root` to `folder` is a link that leads out of `root`.

    `root` itself may be one: users keep their runs on another disk.
    """
    place = root
    for part in folder.relative_to(root).parts:
        place /= part
        if place.is_symlink() and not _is_inside(place, root.resolve()):
            raise MisuseError(f"{place}: a link to {place.readlink()}, out of {root}; replace it by the folder.")


def _is_inside(link: Path, root: Path) -> bool:
    try:
        return link.resolve().is_relative_to(root)
    except (OSError, RuntimeError):  # a link that leads back to itself
        return False


def refuse_pipes(arguments: Iterable[str]) -> None:
    """Raise MisuseError if a word of the command line names a pipe, a socket or a device: reading it may never end."""
    for argument in arguments:
        _, _, value = argument.rpartition("=")
        try:
            kind = IRREGULAR.get(stat.S_IFMT(Path(value).stat().st_mode))
        except (OSError, ValueError):  # no path
            continue
        if kind not in (None, IRREGULAR[stat.S_IFDIR]):
            raise MisuseError(
                f"{value}: is {kind}, which is not read; write its content to a file, and name that file."
            )
