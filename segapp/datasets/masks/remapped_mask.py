"""A mask whose class indices are those of another list of classes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from segapp.batch import IGNORE_INDEX
from segapp.datasets.item_checks import find_path
from segapp.datasets.source import LayeredMask, MaskReference
from segapp.errors import MisuseError

UNKNOWN = 256
"""The new index of a class that no pixel may have."""


class RemappedMask:
    """A mask that is read through a table of class indices.

    Args:
        mask: The mask, of indices 0 … len(indices) - 1 and 255.
        indices: The new index of each class, or `UNKNOWN`.
    """

    def __init__(self, mask: MaskReference, indices: Sequence[int]) -> None:
        self.mask = mask
        self._table = np.full(IGNORE_INDEX + 1, UNKNOWN, np.uint16)
        self._table[: len(indices)] = indices
        self._table[IGNORE_INDEX] = IGNORE_INDEX

    def __repr__(self) -> str:
        return repr(self.mask)

    @property
    def path(self) -> Path | None:
        """The mask's file, or the first of several, where it knows one."""
        return find_path(self.mask)

    @property
    def shape(self) -> tuple[int, int]:
        """Height, width."""
        return self.mask.shape

    @property
    def orientation(self) -> int:
        """EXIF's 1 … 8 of the mask's file, 1 where it knows none."""
        orientation: int = getattr(self.mask, "orientation", 1)
        return orientation

    def count_overlaps(self) -> int:
        """Count the pixels that lie in several classes, where the mask knows."""
        return self.mask.count_overlaps() if isinstance(self.mask, LayeredMask) else 0

    def read(self) -> np.ndarray:
        """Read (H, W) uint8; MisuseError for a value that is no class."""
        return self._map(self.mask.read())

    def read_window(self, y: int, x: int, h: int, w: int) -> np.ndarray:
        """Read (h, w) uint8, inside the mask only; MisuseError for a value that is no class."""
        return self._map(self.mask.read_window(y, x, h, w))

    def _map(self, stored: np.ndarray) -> np.ndarray:
        mapped = self._table[stored]
        if (mapped == UNKNOWN).any():
            values = np.unique(stored[mapped == UNKNOWN]).tolist()
            raise MisuseError(
                f"{self.path or self.mask}: holds {', '.join(map(str, values[:8]))}, which is no class of its data set "
                "or was not looked for in this image (`looked_for`)."
            )
        return mapped.astype(np.uint8)
