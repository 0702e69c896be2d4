"""Problems of a data set: what is wrong with which file, and the setting that fixes it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from segapp.errors import MisuseError

Kind = Literal[
    "layout",
    "name",
    "mask missing",
    "image missing",
    "group",
    "split",
    "image",
    "mask",
    "class",
    "duplicate",
    "leak",
    "alignment",
]
"""What a problem is about; from `image` on they are found by reading files."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a data set."""

    kind: Kind
    message: str
    """What was found, and how to fix it."""
    path: Path | None = None
    """The file or folder, if it is one."""
    setting: str | None = None
    """The setting of the data set that fixes it, as `masks`; None where the file itself must change."""
    severity: Literal["error", "warning"] = "error"
    """An error makes training wrong, or stops it; a warning is worth knowing."""
    items: tuple[str, ...] = ()
    """Names of the images that show it, those to look at first."""


def raise_first(problems: Iterable[Problem]) -> None:
    """Raise the first problem that makes training wrong as a MisuseError."""
    for problem in problems:
        if problem.severity == "error":
            raise MisuseError(problem.message)
