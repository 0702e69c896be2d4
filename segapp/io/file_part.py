"""The address of one image: a file, and which of its images is meant."""

import stat
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from segapp.errors import SegappError
from segapp.spec import Resolution
from segapp.system.regular_files import MISSING, describe_irregular


@dataclass(frozen=True)
class FilePart:
    """One image of a file.

    A file of one image is addressed by its path alone. Volumes, stacks and series hold several images; each has a name
    that its format gives it and understands, such as `z=12` or `page=3`.
    """

    path: Path
    """The file, or the folder of a format whose images are folders."""
    part: str = ""
    """The name of one image in it; empty where the file is one image."""
    channel_files: tuple[Path, ...] = ()
    """The files of the other channels, where the channels of an image are in several files; `path` has the first."""
    reference: Path | None = None
    """The image of a mask: where a mask's file holds some slices only, they are placed among those of this image."""
    array: str = ""
    """The name of an array, as `/image`, in a file of several; empty where there is one."""
    resolution: Resolution | None = None
    """At which of its resolutions a pyramid is read; None for the only or finest one."""

    @property
    def every_file(self) -> tuple["FilePart", ...]:
        """The address of the same part in the file of each channel; of an image of one file itself."""
        if not self.channel_files:
            return (self,)
        return tuple(replace(self, path=path, channel_files=()) for path in (self.path, *self.channel_files))

    def __str__(self) -> str:
        path = f"{self.path}:{self.array}" if self.array else str(self.path)
        return f"{path} [{self.part}]" if self.part else path


def as_file_part(file: Path | FilePart) -> FilePart:
    """Return the address of an image that was given by its path alone, or as an address."""
    return file if isinstance(file, FilePart) else FilePart(Path(file))


def read_stamp(paths: Iterable[Path]) -> tuple[int, int]:
    """Return the latest change (in ns) and the bytes of all files of an image, by which a changed image is noticed.

    Raises:
        SegappError: One of them does not exist, or is a pipe, a device, a folder.
    """
    changed = size = 0
    for path in paths:
        try:
            status = path.stat()
        except OSError:
            status = None
        if status is None or not stat.S_ISREG(status.st_mode):
            kind = describe_irregular(path) or MISSING
            raise SegappError(f"{path}: {kind}{'' if kind == MISSING else ', not an image file'}.")
        changed, size = max(changed, status.st_mtime_ns), size + status.st_size
    return changed, size
