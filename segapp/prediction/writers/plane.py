"""Outputs of one value per pixel, in the image's own format where it can hold masks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from segapp.io import MaskLayout, MaskSink, find_mask_suffix, open_mask, write_mask
from segapp.prediction.writers.writer import ImageInfo, Rows, Writer


class PlaneWriter(Writer):
    """A writer of one uint8 value per pixel; the files keep what their format can of the image's geometry."""

    _rows: MaskSink

    def __init__(self, path: Path, image: ImageInfo) -> None:
        super().__init__(path, image)
        self._band = np.zeros((0, image.size[1]), np.uint8)

    @classmethod
    def choose_suffix(cls, image: Path) -> str:
        """Return the image's own suffix if masks can be written in its format, else `.png`."""
        return find_mask_suffix(image)

    @property
    def palette(self) -> Sequence[tuple[int, int, int]] | None:
        """The colours of the values; None for grey."""
        return None

    @property
    def _names(self) -> tuple[Sequence[str], int | None]:
        """The names of the classes and the index of the background, of an output of classes."""
        spec = self.image.spec
        return (spec.classes, spec.background) if self.palette is not None else ((), None)

    def __enter__(self) -> Self:
        if self.image.streamed:
            layout = MaskLayout({"": self.image.size}, self.image.meta, self.palette, *self._names)
            self._rows = self.open_files.enter_context(open_mask(self.path, layout, self.transform_rows))
        return self

    def transform_rows(self, rows: Rows) -> Rows:
        """Return the rows as they are written, of a streamed image."""
        return rows

    def stream(self, x: int, values: np.ndarray) -> None:
        """Add a block (h, w) uint8 whose first column is `x`; a full band of rows goes to the file."""
        if x == 0:
            self._band = np.zeros((len(values), self.image.size[1]), np.uint8)
        right = x + values.shape[1]
        self._band[:, x:right] = values
        if right == self.image.size[1]:
            self._rows.add(self._band)

    def write_plane(self, values: np.ndarray) -> None:
        """Write all values, (H, W) uint8, of an image that was not streamed."""
        write_mask(self.path, values, self.palette, self.image.meta, *self._names)
