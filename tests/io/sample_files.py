"""Image files, for the tests of several modules."""

from pathlib import Path

import numpy as np
import PIL.Image
import tifffile


def palette_image(indices: np.ndarray, palette: list[int]) -> PIL.Image.Image:
    image = PIL.Image.fromarray(indices)
    image.putpalette(palette)
    return image


def save(path: Path, pixels: np.ndarray, **how: object) -> Path:
    if path.suffix == ".tif":
        tifffile.imwrite(path, pixels, **how)
    else:
        PIL.Image.fromarray(pixels).save(path, **how)
    return path
