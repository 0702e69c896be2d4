"""The base class of the writers of polygons and COCO annotations."""

import json
from pathlib import Path
from typing import Any

from segapp.errors import SegappError
from segapp.io import explain_errors, write_atomically
from segapp.prediction.polygons import Affine, scale_pixels
from segapp.prediction.writers.writer import ImageInfo, Writer

MAX_OUTLINED_PIXELS = 2**26
"""Pixels (8192 x 8192) of an image whose regions are outlined: their labels take four bytes each."""


class RegionWriter(Writer):
    """A writer of the connected regions of every class.

    Raises:
        SegappError: The image has more than `MAX_OUTLINED_PIXELS` pixels.
    """

    mask_use = "full"

    def __init__(self, path: Path, image: ImageInfo) -> None:
        super().__init__(path, image)
        height, width = image.size
        if height * width > MAX_OUTLINED_PIXELS:
            raise SegappError(
                f"{image.name}: --save {self.name} works on images of at most {MAX_OUTLINED_PIXELS:,} pixels, this one "
                f"has {height} x {width}; split it into smaller images, or use --save mask."
            )

    @property
    def affine(self) -> Affine:
        """The map from pixels to the coordinates of polygons: on the ground, on a slide's finest level, or pixels."""
        affine: Affine | None = self.image.meta.get("affine")
        return affine or scale_pixels(self.image.meta.get("downsample", (1.0, 1.0)))


def write_json(path: Path, content: Any) -> None:
    """Write JSON; raise SegappError if that fails, and leave no part of the file."""
    with explain_errors(path), write_atomically(path) as temporary:
        temporary.write_text(json.dumps(content))
