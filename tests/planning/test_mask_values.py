"""The stored values of mask files are counted."""

import numpy as np
import tifffile

from segapp.planning.mask_values import read_mask_values
from tests.planning.stored_masks import mask_of


def test_values_of_files_are_counted_together(tmp_path):
    for number, values in enumerate(([0, 1], [0, 3])):
        tifffile.imwrite(tmp_path / f"{number}.tif", np.array([values] * 2, np.uint8))
    found = read_mask_values([tmp_path / "0.tif", tmp_path / "1.tif"])
    assert (found.files, dict(found.values), found.most_in_one, found.run_from_one) == (2, {0: 4, 1: 2, 3: 2}, 2, False)


def test_an_alpha_and_equal_bands_are_one_value():
    grey = np.full((2, 2, 4), 255, np.uint8)
    grey[0, 0, :3] = 7
    assert dict(mask_of(grey).values) == {7: 1, 255: 3}
