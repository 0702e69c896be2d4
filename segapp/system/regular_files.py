"""The kinds of file that are not read: a pipe waits for ever, a device has no end."""

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


def refuse_pipes(arguments: Iterable[str]) -> None:
    """Raise MisuseError if a word of the command line names a pipe, a socket or a device: reading it may never end."""
    for argument in arguments:
        _, _, value = argument.rpartition("=")
        try:
            kind = IRREGULAR.get(stat.S_IFMT(Path(value).stat().st_mode))
        except (OSError, ValueError):  # no path
            continue
        if kind not in (None, IRREGULAR[stat.S_IFDIR]):
            raise MisuseError(f"{value}: is {kind}, which is not read; write what it gives to a file, and name that.")
