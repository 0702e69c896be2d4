"""The files of a data set by two patterns, and how well these pair images with masks."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from segapp.datasets.channel_files import join_channels
from segapp.datasets.file_search import MaskPattern, find_images
from segapp.datasets.masks.encoding import Encoding, FoundImage, MaskFile, PixelEncoding
from segapp.datasets.volume_slices import expand_volumes
from segapp.errors import MisuseError
from segapp.io import FilePart, remove_suffix
from segapp.planning.layout_patterns import MAX_IMAGES, Kind, describe_other_splits
from segapp.planning.published_split import keep_listed

MASKS_PER_IMAGE = 4
"""Masks of one image whose values are counted: those of one object each are all alike."""


@dataclass(frozen=True)
class FolderLayout:
    """Where the files are, as settings of `segapp.datasets.Folder`."""

    root: Path
    images: str
    masks: str
    split_folders: dict[str, str] | None
    """The names of the folders of train, val and test, where `images` has `{split}`."""
    several: bool
    """An image has several mask files: one for each object, or for each class."""
    classes: tuple[str, ...]
    """What stands for `{class}` in `masks`."""
    reason: str
    channel_files: tuple[str, ...] = ()
    """The names of the files of each channel, where the channels of an image are in several files."""
    encoding: type[Encoding] = PixelEncoding  # type: ignore[type-abstract]  # not made
    """What the masks are: images, or the annotations of a tool."""

    @cached_property
    def found(self) -> list[FoundImage]:
        """The images of all splits in the order of their names, a volume as one of them."""
        found = _find_images(self.root, self.images, self.masks, self.classes, self.kind)
        return [image for image in found if self.split_folders is None or image.split in self.split_folders.values()]

    @cached_property
    def slices(self) -> list[FoundImage]:
        """The same, with every slice of a volume as an image."""
        return list(expand_volumes(self.found, "auto"))

    def find_masks(self, images: Sequence[FoundImage]) -> list[list[FilePart]]:
        """Return the masks of each image that are images themselves; none for annotations."""
        if self.encoding.shared:
            return []
        return [[file.file for file in self.pattern.find_files(image)] for image in images]

    @cached_property
    def pattern(self) -> MaskPattern:
        """What finds the masks of an image."""
        return MaskPattern(self.root, self.masks, self.classes, self.encoding)

    @property
    def kind(self) -> Kind:
        """How files become images and masks."""
        return Kind(self.encoding, self.channel_files)


Tried = tuple[float, int, FolderLayout]
"""The fraction of images with masks, how many masks are used, and the layout."""


def list_masks(layout: FolderLayout, limit: int | None = None) -> list[FilePart]:
    """Return masks: of `limit` images or slices at most, evenly over all of them, and a few of each."""
    found = layout.slices
    if limit is not None and len(found) > limit:
        found = [found[number * len(found) // limit] for number in range(limit)]
    return [file.file for image in found for file in layout.pattern.find_files(image)[:MASKS_PER_IMAGE]]


def try_patterns(
    root: Path, images: str, masks: str, classes: tuple[str, ...], folders: dict[str, str] | None, kind: Kind
) -> Tried | None:
    """Return how well two patterns pair images with masks; None where they pair none, or wrong ones."""
    try:
        found = _find_images(root, images, masks, classes, kind)
        pattern = MaskPattern(root, masks, classes, kind.encoding)
    except MisuseError:  # a folder of this pattern does not exist
        return None
    left_out = ""
    if folders is not None:
        folders, left_out = _drop_unlabelled_test(found, pattern, folders)
        found = [image for image in found if image.split in folders.values()]
        if not {folders["train"], folders["val"]} <= {image.split for image in found}:
            return None
    if classes and "{stem}" in masks and "{parent}" not in masks and any("/" in image.mask_name for image in found):
        return None  # the same name in another folder is another image
    files = _find_some_masks(found, pattern)
    if folders is None and not all(files):
        files = _find_some_masks(keep_listed(root, found), pattern)
    paired = sum(map(bool, files))
    is_shared = len({path.path for own in files for path in own}) < sum(map(len, files))
    if not paired or (is_shared and not pattern.is_shared):
        return None  # no mask, or one that is that of several images
    if kind.encoding is PixelEncoding and _are_copies(found, files, classes):
        return None
    several = sum(len(own) > 1 for own in files)
    if classes and not several:
        return None
    words = f"{len(found)} images match {images!r}" + (" and have several masks each" if several else "")
    reason = f"{words}; their masks are {masks!r}."
    reason += left_out if folders else describe_other_splits(root, images)
    layout = FolderLayout(root, images, masks, folders, several > 0, classes, reason, kind.channel_files, kind.encoding)
    return paired / len(files), sum(map(len, files)), layout


def _drop_unlabelled_test(
    found: Sequence[FoundImage], pattern: MaskPattern, folders: dict[str, str]
) -> tuple[dict[str, str], str]:
    """Return the folders of the splits, without that of a test of which no image has a mask, and the reason."""
    test = [image for image in found if image.split == folders.get("test")]
    if "test" not in folders or any(_find_some_masks(test, pattern)):
        return folders, ""
    reason = f" Those in {folders['test']!r} have no masks and are left out."
    return {split: name for split, name in folders.items() if split != "test"}, reason


def _are_copies(found: Sequence[FoundImage], files: Sequence[Sequence[MaskFile]], classes: Sequence[str]) -> bool:
    """Return whether masks are images themselves, or an image's masks have one name, as forms of one mask have."""
    images = {(image.path, image.array) for image in found}
    names = [[remove_suffix(file.path).name for file in own] for own in files]
    has_forms = not classes and any(len(set(own)) < len(own) for own in names)
    return has_forms or any((file.path, file.array) in images for own in files for file in own)


def _find_some_masks(images: Sequence[FoundImage], pattern: MaskPattern) -> list[list[MaskFile]]:
    """Return the masks of images, of `MAX_IMAGES` at most, evenly over all of them."""
    count = min(len(images), MAX_IMAGES)
    return [pattern.find_files(images[number * len(images) // count]) for number in range(count)]


def _find_images(root: Path, images: str, masks: str, classes: tuple[str, ...], kind: Kind) -> list[FoundImage]:
    """Return the images in order of their names, without masks that lie in the same folders."""
    joined = join_channels(find_images(root, images), kind.channel_files)
    found = sorted(joined, key=lambda image: image.name)
    everything = MaskPattern(root, masks, classes, kind.encoding).find_all_files()
    rest = [image for image in found if image.path not in everything]
    return rest if rest else found
