"""Makes the colour table of a mask file: one colour for every value of a byte."""

from collections.abc import Sequence

import numpy as np

from segapp.batch import IGNORE_INDEX
from segapp.palette import IGNORED, Colour


def fill_palette(palette: Sequence[Colour]) -> np.ndarray:
    """Return (256, 3) uint8: a colour for every value of a byte, that of ignored pixels included."""
    colours = np.zeros((256, 3), np.uint8)
    colours[: len(palette)] = palette
    colours[IGNORE_INDEX] = IGNORED
    return colours
