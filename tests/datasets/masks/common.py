"""Masks in files, for the tests of several encodings."""

from pathlib import Path

import numpy as np

from segapp.datasets import PixelEncoding
from segapp.datasets.masks.encoded_mask import EncodedMask
from segapp.datasets.masks.encoding import Labels, MaskFile
from tests.datasets.look_alikes import save


def mask(
    encoding: PixelEncoding, *paths: Path, classes: tuple[str, ...] = ("background", "a"), background: int = 0
) -> EncodedMask:
    files = [MaskFile(path, path.parent.name) for path in paths]
    return EncodedMask(files, encoding, Labels(classes, background))


def saved(path: Path, values: list[list[int]], dtype: type = np.uint8) -> Path:
    save(path, np.array(values, dtype))
    return path
