"""The contract of a data set: its items, classes, channels and problems."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from segapp.datasets.problems import Problem
from segapp.errors import SegappError
from segapp.init_args import Recorded
from segapp.io.map_grid import measure_map_pixel
from segapp.spec import Intensity, Resolution, SliceAxis

SplitName = Literal["train", "val", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "val", "test")


class ImageReference(Protocol):
    """One image that is read when it is needed; `segapp.io.Image` is one."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width, channels, without decoding pixels."""

    @property
    def dtype(self) -> np.dtype:
        """Of what `read` delivers: uint8 or float32."""

    def read(self) -> np.ndarray:
        """Read (H, W, C) uint8 in [0, 255] or float32 in [0, 1]."""

    def read_window(self, y: int, x: int, h: int, w: int) -> np.ndarray:
        """Read (h, w, C), inside the image only."""


class MaskReference(Protocol):
    """One mask that is read when it is needed, whatever files or shapes it is made of."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height, width, without decoding pixels."""

    def read(self) -> np.ndarray:
        """Read (H, W) uint8: class indices, or 255 to ignore."""

    def read_window(self, y: int, x: int, h: int, w: int) -> np.ndarray:
        """Read (h, w), inside the mask only."""


@runtime_checkable
class LayeredMask(Protocol):
    """A mask whose classes may have lain over each other, before each pixel was given one."""

    def count_overlaps(self) -> int:
        """Count the pixels that lie in several classes, of which the mask shows one."""


@dataclass(frozen=True)
class Item:
    """One image with its mask."""

    name: str
    """Unique in the data set: the path relative to the images' folder, without suffix."""
    group: str
    """What belongs together: a patient, a slide, a volume, a scene; the name where there is no such thing.

    No split divides it, except `Blocks`, which divides scenes. Statistics count its images as one."""
    image: ImageReference
    mask: MaskReference | None
    source: int = 0
    """The number of its data set, where several are joined."""
    looked_for: tuple[bool, ...] | None = None
    """For each class, whether the mask shows it where it is, true for the background; None where it shows all."""


def find_pixel_size(image: ImageReference) -> tuple[float, float] | None:
    """Return height and width of a pixel in µm, or None where an image does not know them, as one in degrees.

    A block has the pixels of its `whole` image.
    """
    meta: dict[str, Any] = getattr(getattr(image, "whole", image), "meta", None) or {}
    if "affine" in meta:
        return measure_map_pixel(meta["affine"], meta.get("geo_keys", {}))
    return meta.get("pixel_size")


class Source(Recorded, ABC):
    """A data set. Making one touches no pixels; `channels` and `intensity` may read one header."""

    classes: tuple[str, ...]
    """Class names; their order is that of the indices in the masks."""
    background: int | None
    """The class left out of macro means, if any."""
    palette: tuple[tuple[int, int, int], ...]
    """RGB 0 … 255, one colour per class."""
    axis: SliceAxis = "auto"
    """How volumes are cut into slices."""
    neighbours: int = 0
    """Slices before and as many after a slice that are channels of it."""
    cuts_images: bool = False
    """Whether items are blocks of larger images, which prediction takes whole."""
    channel_files: tuple[str, ...] = ()
    """The names of the files of each channel, as `{name}_0000`, where the channels of an image are in several files."""
    weights: tuple[float, ...] = ()
    """Relative number of training samples from each of several joined data sets; empty: every image once an epoch."""

    @property
    @abstractmethod
    def channels(self) -> int:
        """Channels of every image."""

    @property
    @abstractmethod
    def intensity(self) -> Intensity:
        """How stored values become the network's range."""

    @property
    def resolution(self) -> Resolution | None:
        """At which of their resolutions images are read; None for the only or finest one."""
        return None

    @abstractmethod
    def items(self, split: SplitName) -> Sequence[Item]:
        """Return the items of one split, always in the same order; empty where the data set has no such split."""

    def problems(self) -> Iterator[Problem]:
        """Yield everything that is wrong with the data set: first by file names, then by their content.

        Every image and mask is read once. A user-defined source that knows more overrides `layout_problems`.
        """
        from segapp.datasets.item_checks import check_items  # imports `Item` from here

        yield from self.layout_problems()
        yield from check_items(self.checkable_items(), self.classes)

    def layout_problems(self) -> Iterator[Problem]:
        """Yield what is wrong with folders, names and the split, without reading pixels.

        `items` raises the first of these that makes training wrong. Default: the error of `items`.
        """
        for split in SPLITS:
            try:
                self.items(split)
            except SegappError as error:
                yield Problem("layout", str(error))
                return

    def checkable_items(self) -> dict[SplitName, Sequence[Item]]:
        """Return the items whose files can be read in spite of problems of the layout; default: all, or none."""
        try:
            return {split: self.items(split) for split in SPLITS}
        except SegappError:
            return {}

    def item_names(self) -> list[str]:
        """Return the names of all items, where the source knows them also of those that are in no split."""
        return list(dict.fromkeys(item.name for split in SPLITS for item in self.items(split)))

    def select(self, names: Sequence[str]) -> list[Item]:
        """Return the items of these names, which are among `item_names`, whatever the split."""
        known = {item.name: item for split in SPLITS for item in self.items(split)}
        return [known[name] for name in names]

    def select_splits(self, names: Mapping[SplitName, Sequence[str]]) -> dict[SplitName, list[Item]]:
        """Return the items of each split by the names that it had, as a checkpoint records them."""
        every = list(dict.fromkeys(name for split in SPLITS for name in names.get(split, ())))
        items = {item.name: item for item in self.select(every)}
        return {split: [items[name] for name in names.get(split, ())] for split in SPLITS}
