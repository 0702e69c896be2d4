"""One mask in several colours and files."""

from pathlib import Path

import numpy as np
import PIL.Image

from segapp.datasets import PixelEncoding
from segapp.datasets.masks.encoded_mask import EncodedMask
from segapp.datasets.masks.encoding import Labels, MaskFile

TRUTH = np.zeros((32, 32), np.uint8)
TRUTH[8:16, 8:20] = 1


RED = {"background": (0, 0, 0), "a": (255, 0, 0)}


COLOURED = np.where(TRUTH[..., None] > 0, np.uint8((255, 0, 0)), np.uint8(0))


def read(encoding: PixelEncoding, *paths: Path, classes: tuple[str, ...] = ("background", "a")) -> np.ndarray:
    files = [MaskFile(path, "a") for path in paths]
    return EncodedMask(files, encoding, Labels(classes, 0)).read()


def save_with_palette(path: Path, order: list[tuple[int, int, int]]) -> Path:
    """Save COLOURED with its colours in this order of the palette."""
    colours = np.array(order, np.uint8)
    image = PIL.Image.fromarray((COLOURED[:, :, None] == colours).all(-1).argmax(-1).astype(np.uint8))
    image.putpalette(colours.ravel().tolist())
    image.save(path)
    return path
