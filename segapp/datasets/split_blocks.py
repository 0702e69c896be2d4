"""A split inside images, for data sets of one or a few large ones."""

from collections.abc import Sequence
from pathlib import Path

from segapp.datasets.block_geometry import BlockSize
from segapp.datasets.splits import Candidate, Division, Fraction, Split
from segapp.errors import MisuseError

MIN_SIZE = 32
"""Fewest pixels along the side of a block."""


class Blocks(Split):
    """Cut every image larger than a block into blocks, and divide these at random, as `Fraction` does images.

    An image is cut evenly, into as few blocks as needed; they are called `<image>@r0c3` by row and column. Between
    blocks of different splits lies a gap that no split uses: the training block gives way to the others, and that for
    validation to the one for the test. Crops and windows never leave their block. `segapp predict` takes whole images.

    Args:
        size: The largest height and width of a block.
        gap: Pixels between the blocks of different splits, less than a quarter of `size`.
        val: Fraction of the blocks, 0 … 1.
        test: The same.
        seed: Of the random division.
        stratify: Spread the blocks that hold each class over the splits. Reads every mask once, at every start.
    """

    def __init__(
        self,
        size: int = 1024,
        gap: int = 64,
        val: float = 0.15,
        test: float = 0.15,
        seed: int = 0,
        stratify: bool = False,
    ) -> None:
        if size < MIN_SIZE:
            raise MisuseError(f"Blocks have {MIN_SIZE} pixels or more along a side, got size={size}.")
        if not 0 <= 4 * gap <= size - 4:  # two strips leave something of a block of half the size
            raise MisuseError(
                f"the gap between blocks is 0 … {size // 4 - 1} pixels for size={size}, less than a quarter of it; "
                f"got gap={gap}."
            )
        self.blocks = BlockSize(size, gap)
        self.stratify = self.reads_masks = stratify
        self._random = Fraction(val, test, seed, stratify)

    def divide(self, candidates: Sequence[Candidate], root: Path) -> Division:
        """Raise MisuseError when there are fewer blocks than splits."""
        return self._random.divide(candidates, root)
