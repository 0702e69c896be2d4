"""What is taken from the current folder: modules of user-defined classes, and nothing that libraries look for there."""

import os
import re
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import segapp
from segapp.errors import MisuseError


def search_current_folder(names: Iterable[str]) -> None:
    """Let modules be imported from the current folder, if one of the names leads there and nowhere else.

    Libraries try to import others that are not installed: were the current folder always searched, a file that lies
    beside someone's images, with the name of such a library, would run. So call this for what the user named only.

    Args:
        names: Paths of classes or modules, as `mynets.Net`.
    """
    for package in {name.partition(".")[0] for name in names}:
        here = Path(package)
        if (
            "" not in sys.path
            and package.isidentifier()
            and (here.is_dir() or here.with_suffix(".py").is_file())
            and package not in sys.modules
            and find_spec(package) is None
        ):
            sys.path.append("")  # last: it hides no other module


def leave_current_folder() -> None:
    """Take the current folder off the places that modules are imported from, where `python -m segapp` put it.

    It stays where segapp itself lies in it.
    """
    folder = Path.cwd().resolve()
    if sys.path and Path(sys.path[0]).resolve() == folder and Path(segapp.__file__).resolve().parents[1] != folder:
        del sys.path[0]


LIBRARY = re.compile(r"(lib|ld-).*\.so(\.[\w.]+)?")
"""The name of a system library."""
LIBRARY_FOLDERS = (
    *("glibc-hwcaps", "tls", "x86_64", "haswell", "avx512_1", "xeon_phi", "i586", "i686", "aarch64", "atomics"),
)
"""Folders in which the loader of Linux looks for libraries too."""


def refuse_local_libraries() -> None:
    """Raise MisuseError where the current folder holds a system library, such as libcuda.so.1.

    One of torch's libraries has the current folder in its search path, and cv2 adds it to that of every program that is
    started. So a library that lies beside someone's images would run.
    """
    with os.scandir() as entries:
        found = next((one.name for one in entries if LIBRARY.fullmatch(one.name) or one.name in LIBRARY_FOLDERS), None)
    if found is not None:
        raise MisuseError(
            f"{found}: a system library in the current folder, which torch or a program that it starts would load. "
            "Remove it, or start segapp in another folder and name this one."
        )


def list_library_folders() -> str:
    """Return $LD_LIBRARY_PATH without empty parts, which stand for the current folder.

    It is never empty: when cv2 is imported it puts folders before it, and a colon.
    """
    named = [part for part in os.environ.get("LD_LIBRARY_PATH", "").split(":") if part]
    return ":".join(named or [str(Path(segapp.__file__).parent / "no_libraries")])


def refuse_local_matplotlibrc() -> None:
    """Raise MisuseError where the current folder holds a `matplotlibrc`.

    A folder of someone's images may hold one. Matplotlib reads it in every process that imports it, before any other:
    a large file fills the memory, and a pipe waits for ever.
    """
    if os.path.lexists("matplotlibrc") and not Path("matplotlibrc").is_dir():
        raise MisuseError(
            "matplotlibrc: settings of matplotlib in the current folder, which it would read before the user's. "
            "Remove it, or start segapp in another folder and name this one."
        )
