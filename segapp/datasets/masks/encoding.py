"""The contract of mask encodings: what masks' files hold, and how they become class indices."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from segapp.datasets.problems import Problem
from segapp.errors import MisuseError
from segapp.init_args import Recorded
from segapp.io import FilePart, MaskPixels, find_suffix
from segapp.spec import Resolution

if TYPE_CHECKING:
    from segapp.datasets.source import MaskReference


@dataclass(frozen=True)
class FoundImage:
    """One image file, and the values that fill the placeholders of its masks' pattern."""

    path: Path
    name: str
    """Unique: relative to the fixed start of the images' pattern, without suffix."""
    mask_name: str
    """Value of `{name}` in the masks' pattern: that of the images' pattern, else the path inside their folder."""
    split: str | None
    part: str = ""
    """Which slice of the file; empty for a file that is one image."""
    channel_files: tuple[Path, ...] = ()
    """The files of the other channels, where each channel has a file."""
    array: str = ""
    """The name of an array in the file."""
    resolution: Resolution | None = None
    """At which of its resolutions it is read."""

    @property
    def file(self) -> FilePart:
        """The address of the image."""
        return FilePart(self.path, self.part, self.channel_files, array=self.array, resolution=self.resolution)

    @property
    def file_name(self) -> str:
        """The name of the file that holds the image: that of all its slices."""
        return self.name.removesuffix(f"/{self.part}") if self.part else self.name


@dataclass(frozen=True)
class MaskFile:
    """One of the files that make up a mask."""

    path: Path
    class_name: str | None
    """Value of `{class}` in the masks' pattern, if it has one."""
    part: str = ""
    """Which slice of the file; empty for a file that is one mask."""
    image: Path | None = None
    """The file of the image."""
    array: str = ""
    """The name of an array in the file."""

    @property
    def file(self) -> FilePart:
        """The address of the mask."""
        return FilePart(self.path, self.part, reference=self.image, array=self.array)


@dataclass(frozen=True)
class FoundFiles:
    """All images of a data set, used or not, and the files of their masks."""

    images: Mapping[str, FoundImage]
    masks: Mapping[str, Sequence[MaskFile]]
    """By the images' names; empty where an image has none."""
    is_shared: bool
    """Whether one file is of all images, or of all of a split."""


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
    """Says which files are masks and opens them. Most derive from `PixelEncoding`, whose files are images."""

    several: ClassVar[bool] = False
    """Whether one mask may be made of several files."""
    shared: ClassVar[bool] = False
    """Whether one file may hold the masks of many images."""
    file_name: ClassVar[str] = "{name}.*"
    """What the masks' pattern goes on with where it names a folder."""

    @classmethod
    def reads(cls, path: Path) -> bool:
        """Return whether a file may be a mask, by its name."""
        return bool(find_suffix(path)) and not path.name.startswith(".")

    def find_problems(self, names: Sequence[str], found: FoundFiles, labels: Labels) -> Iterator[Problem]:
        """Yield what is wrong with the masks of these images, all of which have files; default: nothing."""
        yield from ()

    @abstractmethod
    def open_masks(self, names: Sequence[str], found: FoundFiles, labels: Labels) -> dict[str, "MaskReference"]:
        """Return the mask of each of these images that has one; all have files."""


class PixelEncoding(Encoding):
    """Turns windows of the images that make up one mask into class indices."""

    local: bool = True
    """Whether a window can be decoded without the rest of the mask."""
    layered: ClassVar[bool] = False
    """Whether a pixel may be of several classes in the files."""
    tolerant: bool = False
    """Whether values that a lossy codec such as JPEG changed are assigned to a class; else such files are refused."""

    @abstractmethod
    def decode(self, files: Sequence[MaskFile], pixels: Sequence[MaskPixels], labels: Labels) -> np.ndarray:
        """Return (H, W) uint8 class indices or 255 from each file's pixels; raises MisuseError."""

    def count_overlaps(self, files: Sequence[MaskFile], pixels: Sequence[MaskPixels]) -> int:
        """Count the pixels that are of several classes; called where `layered`."""
        return 0

    def is_doubtful(self, indices: np.ndarray, labels: Labels) -> bool:
        """Return whether the indices of a window are valid only if the complete mask has one meaning."""
        return False

    def check_meaning(self, files: Sequence[MaskFile], indices: np.ndarray, labels: Labels) -> None:
        """Raise MisuseError if the indices of a complete mask do not have one meaning."""

    def open_masks(self, names: Sequence[str], found: FoundFiles, labels: Labels) -> dict[str, "MaskReference"]:
        """Return masks that are decoded when they are read."""
        from segapp.datasets.masks.encoded_mask import EncodedMask  # imports `PixelEncoding` from here

        return {name: EncodedMask(found.masks[name], self, labels) for name in names}
