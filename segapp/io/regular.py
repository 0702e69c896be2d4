"""The kinds of file that are not read: a pipe waits for ever, a device has no end."""

import stat
from pathlib import Path

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
    except FileNotFoundError:
        return f"a link to {path.readlink()}, which does not exist" if path.is_symlink() else MISSING
    except OSError as error:
        return "a link that leads back to itself" if path.is_symlink() else f"not readable ({error.strerror})"
    return IRREGULAR.get(stat.S_IFMT(mode))
