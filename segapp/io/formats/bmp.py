"""BMP: Windows' bitmaps."""

from pathlib import Path

import numpy as np
import PIL.Image

from segapp.io.formats.pillow import PillowFormat


class Bmp(PillowFormat):
    """Windows bitmap: 1 to 32 bits per pixel, also with a palette."""

    name = plugin = "BMP"
    suffixes = (".bmp",)
    magic = (b"BM",)
    writes_images = True

    def write_image(self, path: Path, pixels: np.ndarray) -> None:
        """Write (H, W) or (H, W, 3) uint8."""
        PIL.Image.fromarray(pixels).save(path, format="BMP")
