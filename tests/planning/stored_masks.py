"""Masks as stored values, for the tests of what they mean."""

import numpy as np

from segapp.planning.mask_values import MaskValues


def mask_of(*masks):
    values = MaskValues()
    for mask in masks:
        values.add(np.asarray(mask, np.uint8), "mask.png")
    return values
