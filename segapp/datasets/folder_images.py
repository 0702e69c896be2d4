"""The images of a folder: found, named, left out and grouped."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from segapp.datasets.channel_files import find_channel_problems, join_channels
from segapp.datasets.file_patterns import WILDCARDS
from segapp.datasets.file_search import find_images
from segapp.datasets.folder_settings import find_group
from segapp.datasets.masks.encoding import FoundImage
from segapp.datasets.problems import Problem
from segapp.datasets.volume_slices import expand_volumes
from segapp.errors import MisuseError
from segapp.io import FilePart
from segapp.natural_order import make_natural_key
from segapp.spec import Resolution, SliceAxis

ESCAPED = re.compile(r"\[([*?\[])\]")
"""A wildcard that stands for itself, as `glob.escape` writes it."""


def find_folder_images(
    root: Path, pattern: str, list_masks: Callable[[], set[Path]], channel_files: Sequence[str], axis: SliceAxis
) -> Iterator[FoundImage]:
    """Yield every image below `root` in natural order, and the slices of volumes.

    `list_masks` returns the files of masks, which may lie among the images. Raises MisuseError for missing folders and
    where there is no image.
    """
    images = find_images(root, pattern)
    mask_files = list_masks()
    if len(mask_files) < len(images):  # images and masks may share a folder
        images = [image for image in images if image.path not in mask_files]
    images = join_channels(images, channel_files)
    images.sort(key=lambda image: (make_natural_key(image.name), image.name))
    return expand_volumes(images, axis)


class FolderImages:
    """The images of a data set by their names.

    Args:
        root: For messages.
        images: In natural order.
        exclude: Names to leave out, with * and ?.
        group: Finds the group in a name; None where each is one.
        channel_files: The names of the files of each channel, where an image has several.
    """

    def __init__(
        self,
        root: Path,
        images: Iterable[FoundImage],
        exclude: Sequence[str],
        group: re.Pattern[str] | None,
        channel_files: Sequence[str],
    ) -> None:
        self._root, self._exclude, self._group, self._channel_files = root, exclude, group, channel_files
        self._excluded_patterns: list[str] = []
        self._excluded_names: set[str] = set()
        for one in exclude:
            if WILDCARDS.search(ESCAPED.sub("", one)):
                self._excluded_patterns.append(one)
            else:
                self._excluded_names.add(ESCAPED.sub(r"\1", one))
        self.by_name: dict[str, FoundImage] = {}
        self._same_names: list[tuple[Path, Path]] = []
        for image in images:
            if image.name in self.by_name:
                self._same_names.append((image.path, self.by_name[image.name].path))
            else:
                self.by_name[image.name] = image

    def read_at(self, resolution: Resolution | None) -> "FolderImages":
        """Return the same images, read at a resolution."""
        other = copy(self)
        other.by_name = {name: replace(image, resolution=resolution) for name, image in self.by_name.items()}
        return other

    @property
    def names(self) -> list[str]:
        """The names in natural order, without those that are left out."""
        return [name for name in self.by_name if not self.is_excluded(name)]

    @property
    def first(self) -> FilePart:
        """The first image; MisuseError where all are left out."""
        first = next((image.file for name, image in self.by_name.items() if not self.is_excluded(name)), None)
        if first is None:
            raise MisuseError(self._explain_none())
        return first

    def is_excluded(self, name: str) -> bool:
        """Return whether an image, or a block of one, is left out."""
        return name in self._excluded_names or any(fnmatchcase(name, pattern) for pattern in self._excluded_patterns)

    def find_group(self, name: str) -> str:
        """Return the group of an image: of all slices of a volume the same."""
        name = self.by_name[name].file_name
        return name if self._group is None else find_group(self._group, name)

    def find_problems(self) -> Iterator[Problem]:
        """Yield names that stand for two images, that leave none, or that show no group."""
        names = self.names
        for path, other in self._same_names:
            yield Problem("name", f"{path} and {other} have the same name; rename one.", path)
        yield from find_channel_problems((self.by_name[name] for name in names), self._channel_files)
        if not names:
            yield Problem("name", self._explain_none(), self._root, "exclude")
        for name in names:
            try:
                self.find_group(name)
            except MisuseError as error:
                yield Problem("group", str(error), self.by_name[name].path, "group")

    def _explain_none(self) -> str:
        return f"{self._root}: exclude {self._exclude!r} leaves no image of {len(self.by_name)}."
