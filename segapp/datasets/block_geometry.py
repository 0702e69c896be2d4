"""Where the blocks of a large image lie, and the gap between those of different splits."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

from segapp.datasets.source import SPLITS, SplitName

Window = tuple[int, int, int, int]
"""y, x, height, width."""
Cell = tuple[int, int]
"""Row and column of a block."""

SIDES: tuple[Cell, ...] = ((-1, 0), (1, 0), (0, -1), (0, 1))
"""Above, below, left and right of a block."""
AROUND = [(row, column) for row, column in product((-1, 0, 1), repeat=2) if row or column]
"""The eight blocks around a block."""


@dataclass(frozen=True)
class BlockSize:
    """How images are cut.

    Attributes:
        size: The largest height and width of a block.
        gap: Pixels between the blocks of different splits; less than a quarter of `size`.
    """

    size: int
    gap: int


def list_windows(size: tuple[int, int], largest: int) -> dict[Cell, Window]:
    """Return as few blocks of equal size as needed for none to be higher or wider than `largest`, row by row.

    Blocks of an image differ by at most one pixel, and are at least half as large as `largest` where there are several.
    """
    rows, columns = (_divide(length, largest) for length in size)
    return {
        (row, column): (y, x, h, w) for (row, (y, h)), (column, (x, w)) in product(enumerate(rows), enumerate(columns))
    }


def _divide(length: int, largest: int) -> list[tuple[int, int]]:
    """Return start and length of each section of an axis."""
    count = -(-length // largest)
    edges = [number * length // count for number in range(count + 1)]
    return [(start, end - start) for start, end in pairwise(edges)]


def leave_gap(window: Window, cell: Cell, splits: Mapping[Cell, SplitName], gap: int) -> Window:
    """Return a block without the strips that keep it `gap` pixels from the blocks of other splits.

    Only one of two blocks gives way: that of train to those of val and test, that of val to those of test, so that
    scored blocks stay as complete as possible. Of the strips that do, those are left out that cost the fewest pixels.

    Args:
        window: The block.
        cell: Its row and column.
        splits: The split of every used block of the image by row and column.
        gap: Pixels.
    """
    rank = SPLITS.index(splits[cell])
    near = [
        (row, column)
        for row, column in AROUND
        if (split := splits.get((cell[0] + row, cell[1] + column))) is not None and SPLITS.index(split) > rank
    ]
    return max((_cut_sides(window, sides, gap) for sides in _list_sides(near)), key=lambda kept: kept[2] * kept[3])


def _list_sides(near: Sequence[Cell]) -> Iterator[tuple[bool, ...]]:
    """Yield every choice of sides that separates a block from those around it, the fewest sides first."""
    choices = sorted(product((False, True), repeat=len(SIDES)), key=sum)
    for chosen in choices:
        sides = {side for side, is_cut in zip(SIDES, chosen, strict=True) if is_cut}
        if all({(row, 0), (0, column)} & sides for row, column in near):
            yield chosen


def _cut_sides(window: Window, sides: tuple[bool, ...], gap: int) -> Window:
    top, bottom, left, right = (gap * side for side in sides)
    y, x, h, w = window
    return y + top, x + left, h - top - bottom, w - left - right
