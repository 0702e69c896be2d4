"""Pair images with their masks, and check that every image has a mask and every mask an image."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from segapp.datasets.file_search import MaskPattern
from segapp.datasets.masks.encoding import Encoding, FoundFiles, FoundImage, Labels, MaskFile, PixelEncoding
from segapp.datasets.pairing_advice import describe_missing_masks
from segapp.datasets.problems import Problem, raise_first
from segapp.datasets.volume_slices import find_volume_problems

SHOWN = 3


class Pairing:
    """The masks of images.

    Attributes:
        found: Every image by its name.
        images: The pattern they were found by.
        pattern: Finds the masks.
        encoding: What the masks hold.
        labels: The classes.
    """

    def __init__(
        self,
        found: Mapping[str, FoundImage],
        images: str,
        pattern: MaskPattern,
        encoding: Encoding,
        labels: Labels,
    ) -> None:
        self.found, self.images, self.pattern = found, images, pattern
        self.encoding, self.labels = encoding, labels

    @cached_property
    def files(self) -> FoundFiles:
        """Every image of the data set with the files of its mask."""
        return FoundFiles(self.found, self.find_masks(list(self.found)), self.pattern.is_shared)

    def require_masks(self, names: Sequence[str]) -> dict[str, list[MaskFile]]:
        """Return the mask files of each image; MisuseError unless every image has some, and every mask an image."""
        masks = self.find_masks(names)
        raise_first(self._check_masks(masks))
        return masks

    def find_masks(self, names: Sequence[str]) -> dict[str, list[MaskFile]]:
        """Return the mask files of each image, which may be none or too many."""
        return {name: self.pattern.find_files(self.found[name]) for name in names}

    def find_problems(self, names: Sequence[str]) -> Iterator[Problem]:
        """Yield every image and mask that does not pair; the first of a kind reports all of them."""
        return self._check_masks(self.find_masks(names))

    def _check_masks(self, masks: Mapping[str, list[MaskFile]]) -> Iterator[Problem]:
        yield from self._find_missing_masks(masks)
        if not self.encoding.several:
            yield from self._find_several_masks(masks)
        yield from self._find_missing_images()
        if not self.pattern.is_shared:
            yield from self._find_claimed_twice(masks)
        if isinstance(self.encoding, PixelEncoding):
            yield from find_volume_problems((self.found[name] for name in masks), self.pattern)
        yield from self.encoding.find_problems([name for name, own in masks.items() if own], self.files, self.labels)

    def _find_missing_masks(self, masks: Mapping[str, list[MaskFile]]) -> Iterator[Problem]:
        without = [self.found[name] for name, files in masks.items() if not files]
        for image in without:
            message = (
                describe_missing_masks(without, len(masks), self.images, self.pattern)
                if image is without[0]
                else f"{image.path}: has no mask; {self.pattern.list_tried_paths(image)[0]!r} was tried."
            )
            yield Problem("mask missing", message, image.path, "masks")

    def _find_several_masks(self, masks: Mapping[str, list[MaskFile]]) -> Iterator[Problem]:
        several = [name for name, files in masks.items() if len(files) > 1]
        for name in several:
            paths = ", ".join(str(file.path.name) for file in masks[name][:SHOWN])
            message = (
                f"{self.pattern.root}: {len(several)} images have several masks, such as {name!r}: {paths}. "
                "Correct `masks`, or set mask to segapp.datasets.Instances (a file per object) or PerClass."
                if name == several[0]
                else f"{self.found[name].path}: has several masks: {paths}."
            )
            yield Problem("mask missing", message, self.found[name].path, "mask")

    def _find_claimed_twice(self, masks: Mapping[str, list[MaskFile]]) -> Iterator[Problem]:
        """Yield masks that two images claim: `{name}_*` of `cell_1` also matches the masks of `cell_1_2`."""
        owner: dict[Path, str] = {}
        for image, files in masks.items():
            name = self.found[image].file_name
            for file in files:
                other = owner.setdefault(file.path, name)
                if other != name and (name.startswith(other) or other.startswith(name)):
                    message = (
                        f"{file.path} is a mask of both {other!r} and {name!r} by the pattern "
                        f"{self.pattern.pattern!r}; rename the files, or write a pattern that ends with the name."
                    )
                    yield Problem("name", message, file.path, "masks")

    def _find_missing_images(self) -> Iterator[Problem]:
        known = {file.path for files in self.files.masks.values() for file in files}
        known |= {image.path for image in self.found.values()}
        orphans = sorted(self.pattern.find_all_files() - known)
        names = [str(path.relative_to(self.pattern.root)) for path in orphans]
        more = f" … and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        for path in orphans:
            message = (
                f"{self.pattern.root}: {len(names)} masks have no image under {self.images!r}: "
                f"{', '.join(names[:SHOWN])}{more}. "
                "Names must agree (all but the suffix); correct `images` or `masks`, or move these masks away."
                if path == orphans[0]
                else f"{path}: this mask has no image under {self.images!r}."
            )
            yield Problem("image missing", message, path, "images")
