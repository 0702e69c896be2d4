"""Outputs of one value per pixel: a PNG, or a TIFF that is written row by row where the image is large."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from segapp.io import TiffRows, open_tiff_rows, write_image, write_mask
from segapp.io.write import TIFF_SUFFIXES
from segapp.prediction.writers.writer import ImageInfo, Rows, Writer


class PlaneWriter(Writer):
    """A writer of one uint8 value per pixel; TIFF images become TIFF files with their georeference."""

    _rows: TiffRows

    def __init__(self, path: Path, image: ImageInfo) -> None:
        super().__init__(path, image)
        self._band = np.zeros((0, image.size[1]), np.uint8)

    @classmethod
    def choose_suffix(cls, image: Path) -> str:
        """Return the image's own suffix for a TIFF, else `.png`."""
        return image.suffix if image.suffix.lower() in TIFF_SUFFIXES else ".png"

    @property
    def palette(self) -> Sequence[tuple[int, int, int]] | None:
        """The colours of the values; None for grey."""
        return None

    def __enter__(self) -> Self:
        if self.image.streamed:
            rows = open_tiff_rows(self.path, self.image.size, self.image.meta, self.transform_rows, self.palette)
            self._rows = self.files.enter_context(rows)
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
        if self.path.suffix.lower() in TIFF_SUFFIXES:
            with open_tiff_rows(self.path, self.image.size, self.image.meta, palette=self.palette) as rows:
                rows.add(values)
        elif self.palette is not None:
            write_mask(self.path, values, self.palette)
        else:
            write_image(self.path, values)
