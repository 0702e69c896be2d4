"""Large images cut into blocks, which are read as images of their own."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from segapp.datasets.block_geometry import BlockSize, Cell, Window, leave_gap, list_windows
from segapp.datasets.masks.encoding import FoundImage
from segapp.datasets.source import ImageReference, Item, MaskReference, SplitName
from segapp.errors import MisuseError, SegappError
from segapp.io import read_shape

MAX_BLOCKS = 2**16
"""Blocks of an image: each has a name, and a line in the tables of scores."""


class ImageBlock:
    """A block of an image, which reads only what lies in it."""

    def __init__(self, whole: ImageReference, window: Window) -> None:
        self.whole, self.window = whole, window

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width of the block, channels of the image."""
        return (*self.window[2:], self.whole.shape[2])

    @property
    def dtype(self) -> np.dtype:
        """That of the image."""
        return self.whole.dtype

    def read(self) -> np.ndarray:
        """Read (H, W, C); percentiles and deviations are those of the complete image."""
        return self.whole.read_window(*self.window)

    def read_window(self, y: int, x: int, h: int, w: int) -> np.ndarray:
        """Read (h, w, C), inside the block only."""
        return self.whole.read_window(self.window[0] + y, self.window[1] + x, h, w)


class MaskBlock:
    """A block of a mask.

    Attributes:
        whole: The mask of the complete image.
        window: What the block covers.
        size: Height and width of the complete image, which the mask must have.
    """

    def __init__(self, whole: MaskReference, window: Window, size: tuple[int, int]) -> None:
        self.whole, self.window, self.size = whole, window, size

    def __repr__(self) -> str:
        return repr(self.whole)

    @property
    def shape(self) -> tuple[int, int]:
        """Height, width of the block; MisuseError where the complete mask has not the size of its image."""
        if self.whole.shape != self.size:
            (height, width), (mask_height, mask_width) = self.size, self.whole.shape
            raise MisuseError(
                f"the image has {height} x {width} pixels, its mask {self.whole} {mask_height} x {mask_width}; "
                "they must agree."
            )
        return self.window[2:]

    def read(self) -> np.ndarray:
        """Read (H, W) uint8."""
        return self.read_window(0, 0, *self.shape)

    def read_window(self, y: int, x: int, h: int, w: int) -> np.ndarray:
        """Read (h, w) uint8, inside the block only."""
        return self.whole.read_window(self.window[0] + y, self.window[1] + x, h, w)


@dataclass(frozen=True)
class _Place:
    """Where a block lies."""

    image: str
    cell: Cell
    window: Window


class BlockIndex:
    """The blocks of a data set's large images by their names, `<image>@r0c3`; smaller images are no blocks."""

    def __init__(self, sizes: Mapping[str, tuple[int, int]], cut: BlockSize) -> None:
        """Cut images, given by height and width; raise MisuseError where a block has the name of an image."""
        self.sizes, self.cut = sizes, cut
        self._places: dict[str, _Place] = {}
        self._blocks: dict[str, list[str]] = {}
        for image, size in sizes.items():
            _require_few(image, size, cut)
            windows = list_windows(size, cut.size)
            if len(windows) > 1:
                found = {f"{image}@r{row}c{column}": (row, column) for row, column in windows}
                self._blocks[image] = list(found)
                self._places |= {name: _Place(image, cell, windows[cell]) for name, cell in found.items()}
        if twice := self._places.keys() & sizes.keys():
            raise MisuseError(f"the image {min(twice)!r} has the name of a block of another image; rename it.")

    def list_names(self, image: str) -> list[str]:
        """Return the names of the blocks of an image, row by row; the name of the image where it has none."""
        return self._blocks.get(image, [image])

    def has(self, name: str) -> bool:
        """Return whether a name is that of a block."""
        return name in self._places

    def get_image(self, name: str) -> str:
        """Return the name of the image that has a block; the name itself where it is no block."""
        return self._places[name].image if name in self._places else name

    def cut_items(
        self, items: Sequence[Item], names: Sequence[str], homes: Mapping[str, SplitName] | None = None
    ) -> list[Item]:
        """Return the items of these names; all blocks of an image have its group, because their scores are alike.

        Args:
            items: The complete images.
            names: Of blocks, or of images that have none.
            homes: The split of each block that is used, between which the gap is left; default: blocks are complete.
        """
        whole = {item.name: item for item in items}
        windows = self._find_windows(homes or {})
        return [
            self._cut(whole[self.get_image(name)], name, windows) for name in names if self.get_image(name) in whole
        ]

    def _cut(self, item: Item, name: str, windows: Mapping[str, Window]) -> Item:
        if name not in self._places:
            return item
        window = windows.get(name, self._places[name].window)
        mask = None if item.mask is None else MaskBlock(item.mask, window, self.sizes[item.name])
        return replace(item, name=name, image=ImageBlock(item.image, window), mask=mask)

    def _find_windows(self, homes: Mapping[str, SplitName]) -> dict[str, Window]:
        cells: dict[str, dict[Cell, SplitName]] = {}
        for name, split in homes.items():
            if name in self._places:
                cells.setdefault(self._places[name].image, {})[self._places[name].cell] = split
        return {
            name: leave_gap(place.window, place.cell, cells[place.image], self.cut.gap)
            for name, place in self._places.items()
            if name in homes
        }


def _require_few(image: str, size: tuple[int, int], cut: BlockSize) -> None:
    rows, columns = (-(-length // cut.size) for length in size)
    if rows * columns > MAX_BLOCKS:
        raise MisuseError(
            f"the image {image!r} of {size[0]} x {size[1]} pixels makes {rows * columns:,} blocks of {cut.size}, and "
            f"{MAX_BLOCKS:,} at most are used; set a larger split.init_args.size."
        )


def index_blocks(images: Iterable[FoundImage], cut: BlockSize | None) -> BlockIndex:
    """Read the sizes of images and cut the large ones; an empty index where `cut` is None.

    Raises:
        MisuseError: One of the images is a slice of a volume.
    """
    if cut is None:
        return BlockIndex({}, BlockSize(1, 0))
    return BlockIndex({image.name: _read_size(image) for image in images}, cut)


def _read_size(image: FoundImage) -> tuple[int, int]:
    if image.part:
        raise MisuseError(
            f"{image.path}: is a volume, whose slices stay in one split, and segapp.datasets.Blocks divides images; "
            "set `split` to segapp.datasets.Fraction."
        )
    try:
        return read_shape(image.file)
    except SegappError:
        return 1, 1  # what reads it reports it
