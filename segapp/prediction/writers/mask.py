"""Masks of class indices."""

from collections.abc import Sequence

import numpy as np

from segapp.prediction.writers.plane import PlaneWriter
from segapp.prediction.writers.writer import OutputBlock, Rows


class MaskWriter(PlaneWriter):
    """The class index of every pixel, with the classes' colours as palette."""

    name = "mask"
    help = "class indices"
    mask_use = "rows"
    holds_parts = True

    @property
    def palette(self) -> Sequence[tuple[int, int, int]]:
        """The colours of the classes."""
        return self.image.spec.palette

    def transform_rows(self, rows: Rows) -> Rows:
        """Return the rows without small objects and holes."""
        return self.image.clean_rows(rows)

    def add(self, block: OutputBlock) -> None:
        """Take the next block; a streamed one goes to the file."""
        if self.image.streamed:
            self.stream(block.x, block.indices)

    def finish(self, mask: np.ndarray) -> None:
        """Write the mask of an image that was not streamed."""
        if not self.image.streamed:
            self.write_plane(mask)
