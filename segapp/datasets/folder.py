"""A data set of images and masks in a folder, in any layout."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from segapp.datasets.blocks import BlockIndex, index_blocks
from segapp.datasets.channel_conversion import report_converted
from segapp.datasets.file_search import MaskPattern
from segapp.datasets.folder_images import FolderImages, find_folder_images
from segapp.datasets.folder_settings import (
    check_blocks,
    check_classes,
    check_palette,
    compile_group,
    list_channel_files,
)
from segapp.datasets.looked_for import LookedFor, restrict_mask
from segapp.datasets.masks.encoding import Encoding, Labels
from segapp.datasets.masks.values import Indices
from segapp.datasets.pairing import Pairing
from segapp.datasets.problems import Problem, raise_first
from segapp.datasets.slides import settle_resolution
from segapp.datasets.source import SPLITS, Item, MaskReference, Source, SplitName
from segapp.datasets.splits import Candidate, Folders, Fraction, Split
from segapp.errors import MisuseError, SegappError
from segapp.io import Image, open_image
from segapp.palette import choose_palette
from segapp.spec import Intensity, Resolution, SliceAxis, check_neighbours


class Folder(Source):
    """Images and masks under `root`, in any format that is read, volumes and series of DICOM too.

    Every slice of a volume is an image, `<volume>/axial=012`, and its mask the same slice of the mask's volume; all
    slices of a volume stay in one split.

    Args:
        root: The folder that everything else is relative to.
        classes: Names, in the order of the indices in the masks.
        images: A folder, a file, or a pattern with * and ** that matches folders or files; `{split}` is the
            split's folder, `{name}` for the part of a name that the mask shares, as in images/{name}_training.tif.
        masks: A folder in which masks have their image's name (with any suffix), the file of a single image, or a
            pattern with `{name}`
            (the image's path inside its folder, or what `{name}` of `images` stands for), `{stem}` (its last part),
            `{parent}` (the part before), `{file}` (the image's file name), `{split}`, `{class}`, *; it may match
            several files per image. Annotations of all images may be in one file, as `train/annotations.json`.
        split: How images are divided into train, val and test. Default: by folder if `images` has `{split}`,
            else a random fifth for val.
        mask: How masks are written. Default: class indices.
        background: The class left out of macro means, and of pixels that no object covers; null if every class counts.
        palette: RGB 0 … 255, one colour per class. Default: black for the background, bright ones for the others.
        channels: Of every image; default: what the first image has (grey and RGB are turned into each other, which is
            logged). A fourth band tagged as alpha is used with 4; TIFF pages that are not tagged as
            channels are used with their number.
        intensity: How stored values become the network's range. Default: 8-bit files unchanged, others and volumes
            from percentile 0.5 to 99.5 of each image or volume.
        group: A regular expression with one group, searched in an image's name; images that share what it
            matches (a patient, a slide) stay in one split.
        exclude: Names of images to leave out, without suffix, with * and ?.
        axis: How volumes are cut: axial, coronal or sagittal slices; auto: across the axis of the largest spacing.
        neighbours: Slices before and as many after each slice that are channels too; `channels` is that of one slice.
        channel_files: The names of the files of each channel, without folder and suffix, where the channels of an image
            are in several files: ["{name}_0000", "{name}_0001"] for nnU-Net's case_0000.nii.gz and case_0001.nii.gz.
            `{name}` is the image's name, which its mask has.
        resolution: At which of their resolutions slides and other pyramids in TIFF are read: `level` (0 is the finest)
            of the first image, or `um_per_pixel`. Default: the finest. The checkpoint keeps the µm per pixel, at which
            all other images are read too.
        looked_for: The classes that masks show where they are, if not all: names, or a table below `root` with the
            columns `name` (of an image or volume) and `classes` (separated by semicolons). A pixel of the background
            may be of any other class: the loss and the scores of that class leave the image out.
    """

    _location_setting = "images"
    """The setting that gives the location of the images."""

    def __init__(
        self,
        root: str | Path,
        classes: Sequence[str],
        images: str = "images",
        masks: str = "masks",
        split: Split | None = None,
        mask: Encoding | None = None,
        background: int | None = 0,
        palette: Sequence[tuple[int, int, int]] | None = None,
        channels: int | None = None,
        intensity: Intensity | None = None,
        group: str | None = None,
        exclude: Sequence[str] = (),
        axis: SliceAxis = "auto",
        neighbours: int = 0,
        channel_files: Sequence[str] = (),
        resolution: Resolution | None = None,
        looked_for: str | Sequence[str] | None = None,
    ) -> None:
        self.root = Path(root).expanduser()
        self.classes = tuple(classes)
        check_classes(self.classes, background)
        self.background = background
        self.palette = choose_palette(len(self.classes), background) if palette is None else check_palette(palette)
        self.images, self.masks = images, masks
        self.split = split or (Folders() if "{split}" in images else Fraction())
        self.mask = mask or Indices()
        self.group = compile_group(group)
        check_blocks(self.split, group)
        self.cuts_images = self.split.blocks is not None
        self.exclude = tuple(exclude)
        check_neighbours(neighbours)
        self.axis, self.neighbours = axis, neighbours
        self.channel_files = list_channel_files(channel_files)
        self._channels, self._intensity, self._resolution = channels, intensity, resolution
        self._looked_for = LookedFor(looked_for, self.root, self.classes, background)

    @cached_property
    def channels(self) -> int:
        """As given, or those of the first image; of all slices together where neighbours are channels."""
        return (self._channels or Image(self._images.first).shape[2]) * (2 * self.neighbours + 1)

    @cached_property
    def intensity(self) -> Intensity:
        """As given, else stored for files of 8 bits, as the first image has, and percentiles for others and volumes.

        Values of volumes have no common scale, and one set may hold volumes of several types.
        """
        if self._intensity is not None:
            return self._intensity
        if not self._images.first.part and Image(self._images.first).stored_dtype == np.uint8:
            return Intensity()
        return Intensity("percentile", 0.5, 99.5)

    @cached_property
    def resolution(self) -> Resolution | None:
        """As given; of a level its µm per pixel, where the first image has them."""
        return self._resolution and settle_resolution(self._found_images.first, self._resolution)

    def items(self, split: SplitName) -> Sequence[Item]:
        """Return the split's items in natural order; raise MisuseError for missing folders, images or masks."""
        return self._items[split]

    def layout_problems(self) -> Iterator[Problem]:
        """Yield what is wrong with folders, names, pairs, groups and the split."""
        try:
            names = self._images.names
        except SegappError as error:
            yield Problem("layout", str(error), self.root, self._location_setting)
            return
        found = [*self._images.find_problems(), *self._pairing.find_problems(self._keep_divided(names))]
        yield from found
        if all(problem.severity == "warning" for problem in found):
            try:
                _ = self._items
            except SegappError as error:
                yield Problem("split", str(error), self.root, "split")

    def checkable_items(self) -> dict[SplitName, Sequence[Item]]:
        """Return the items of every split; where there are none, all pairs of an image and its mask as `train`."""
        try:
            return dict(self._items)
        except SegappError:
            pass  # reported by `layout_problems`
        try:
            paired = self._pairing.find_masks(self._images.names)
            alone = {name: files for name, files in paired.items() if len(files) == 1 or (files and self.mask.several)}
            return {"train": self._make_items(list(alone))}
        except SegappError:
            return {}

    @cached_property
    def _images(self) -> FolderImages:
        return self._found_images.read_at(self.resolution) if self._resolution else self._found_images

    @cached_property
    def _found_images(self) -> FolderImages:
        """The images at their finest resolution."""
        found = find_folder_images(self.root, self.images, self._list_mask_files, self.channel_files, self.axis)
        return FolderImages(self.root, found, self.exclude, self.group, self.channel_files)

    def _list_mask_files(self) -> set[Path]:
        return self._mask_pattern.find_all_files()

    @cached_property
    def _blocks(self) -> BlockIndex:
        """The blocks of the images that the split cuts."""
        return index_blocks((self._images.by_name[name] for name in self._images.names), self.split.blocks)

    def item_names(self) -> list[str]:
        """Return the names of all images or blocks, in natural order, those that the split leaves out too."""
        blocks = (block for name in self._images.names for block in self._blocks.list_names(name))
        return [name for name in blocks if not self._images.is_excluded(name)]

    def select(self, names: Sequence[str]) -> list[Item]:
        """Return the items of these names, whatever the split; MisuseError where one has no mask."""
        return self._select(names, {})

    def select_splits(self, names: Mapping[SplitName, Sequence[str]]) -> dict[SplitName, list[Item]]:
        """Return the items of each split by name, with a gap between blocks of different splits."""
        homes: dict[str, SplitName] = {}
        for split in SPLITS:
            for name in names.get(split, ()):
                homes.setdefault(name, split)
        items = {item.name: item for item in self._select(list(homes), homes)}
        return {split: [items[name] for name in names.get(split, ())] for split in SPLITS}

    def _select(self, names: Sequence[str], homes: Mapping[str, SplitName]) -> list[Item]:
        images = list(dict.fromkeys(map(self._blocks.get_image, names)))
        return self._blocks.cut_items(self._make_items(list(self._pairing.require_masks(images))), names, homes)

    def _make_items(self, names: Sequence[str]) -> list[Item]:
        """Return the items of images with mask files; those without an annotation in them are left out."""
        masks = self.mask.open_masks(names, self._pairing.files, self._labels)
        if self._channels is None:
            files = {self._images.by_name[name].path: self._images.by_name[name].file for name in names}
            report_converted(list(files.values()), Image(self._images.first).shape[2], self._images.first)
        return [self._make_item(name, masks[name]) for name in names if name in masks]

    def _make_item(self, name: str, mask: MaskReference) -> Item:
        file = self._images.by_name[name].file
        image = open_image(file, self.channels, self.intensity, self.neighbours, self.resolution)
        looked_for = self._looked_for.find(name)
        return Item(name, self._images.find_group(name), image, restrict_mask(mask, looked_for), looked_for=looked_for)

    def _keep_divided(self, names: Sequence[str]) -> Sequence[str]:
        """Return the images that the split uses, which alone need masks; all where it cannot be made."""
        if self.cuts_images or self.split.reads_masks:
            return names
        try:
            division = self.split.divide(self._make_candidates(), self.root)
        except SegappError:  # reported by `_items`
            return names
        used = {candidate.name for candidates in division.values() for candidate in candidates}
        return [name for name in names if name in used]

    @cached_property
    def _items(self) -> dict[SplitName, list[Item]]:
        raise_first(self._images.find_problems())
        division = self.split.divide(self._make_candidates(), self.root)
        if not division.get("train"):
            raise MisuseError(
                f"{self.root}: the split leaves no training image of {len(self.item_names())}; change `split`."
            )
        return self.select_splits(
            {split: [candidate.name for candidate in division.get(split, ())] for split in SPLITS}
        )

    def _make_candidates(self) -> list[Candidate]:
        names = self.item_names()
        masks = {item.name: item.mask for item in self.select(names)} if self.split.reads_masks else {}
        return [self._make_candidate(name, masks.get(name)) for name in names]

    def _make_candidate(self, name: str, mask: MaskReference | None) -> Candidate:
        image = self._images.by_name[self._blocks.get_image(name)]
        group = name if self._blocks.has(name) else self._images.find_group(name)
        return Candidate(name, group, image.path, image.split, mask)

    @cached_property
    def _pairing(self) -> Pairing:
        return Pairing(self._images.by_name, self.images, self._mask_pattern, self.mask, self._labels)

    @cached_property
    def _mask_pattern(self) -> MaskPattern:
        return MaskPattern(self.root, self.masks, self.classes, type(self.mask))

    @property
    def _labels(self) -> Labels:
        return Labels(self.classes, self.background or 0)
