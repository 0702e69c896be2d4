"""The contract of mask encodings: pixels of files become class indices."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segapp.errors import MisuseError
from segapp.init_args import Recorded
from segapp.io import FilePart, MaskPixels


@dataclass(frozen=True)
class MaskFile:
    """One of the files that make up a mask."""

    path: Path
    class_name: str | None
    """Value of `{class}` in the masks' pattern, if it has one."""
    part: str = ""
    """Which slice of the file; empty for a file that is one mask."""

    @property
    def file(self) -> FilePart:
        """The address of the mask."""
        return FilePart(self.path, self.part)


@dataclass(frozen=True)
class Labels:
    """The class names of a data set and the index of its background."""

    classes: tuple[str, ...]
    background: int

    def index(self, name: str, setting: str) -> int:
        """Return the index of a class name; raise MisuseError that names the setting."""
        if name not in self.classes:
            raise MisuseError(f"{setting}: {name!r} is not one of the classes {', '.join(self.classes)}.")
        return self.classes.index(name)


class Encoding(Recorded, ABC):
    """Turns windows of one mask's files into class indices."""

    several = False
    """Whether one mask may be made of several files."""
    local = True
    """Whether a window can be decoded without the rest of the mask."""
    tolerant = False
    """Whether values that a lossy codec such as JPEG changed are assigned to a class; else such files are refused."""

    @abstractmethod
    def decode(self, files: Sequence[MaskFile], pixels: Sequence[MaskPixels], labels: Labels) -> np.ndarray:
        """Return (H, W) uint8 class indices or 255 from each file's pixels; raises MisuseError."""

    def is_doubtful(self, indices: np.ndarray, labels: Labels) -> bool:
        """Return whether the indices of a window are valid only if the complete mask has one meaning."""
        return False

    def check_meaning(self, files: Sequence[MaskFile], indices: np.ndarray, labels: Labels) -> None:
        """Raise MisuseError if the indices of a complete mask do not have one meaning."""
