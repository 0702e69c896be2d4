"""Overlays: the image under its classes' colours."""

from pathlib import Path

import numpy as np

from segapp.io import write_image
from segapp.prediction.overlays import draw_overlay
from segapp.prediction.writers.writer import Writer


class OverlayWriter(Writer):
    """A PNG of the image, tinted and outlined by class."""

    name = "overlay"
    help = "PNG of the image under its classes' colours"
    uses_image = True
    mask_use = "thinned"

    @classmethod
    def choose_suffix(cls, image: Path) -> str:
        """Return `.png`."""
        return ".png"

    def finish(self, mask: np.ndarray) -> None:
        """Draw and write the overlay."""
        assert self.image.pixels is not None
        write_image(self.path, draw_overlay(self.image.pixels, mask, self.image.spec, self.image.step))
