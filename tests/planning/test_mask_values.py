"""The stored values of mask files are counted."""

import numpy as np
import pytest
import tifffile

from segapp.errors import SegappError
from segapp.planning import mask_values
from segapp.planning.mask_values import read_mask_values
from tests.planning.stored_masks import mask_of


def test_values_of_files_are_counted_together(tmp_path):
    for number, values in enumerate(([0, 1], [0, 3])):
        tifffile.imwrite(tmp_path / f"{number}.tif", np.array([values] * 2, np.uint8))
    found = read_mask_values([tmp_path / "0.tif", tmp_path / "1.tif"])
    assert (found.files, dict(found.values), found.most_in_one, found.with_gaps) == (2, {0: 4, 1: 2, 3: 2}, 2, 1)


def test_an_alpha_and_equal_bands_are_one_value():
    grey = np.full((2, 2, 4), 255, np.uint8)
    grey[0, 0, :3] = 7
    assert dict(mask_of(grey).values) == {7: 1, 255: 3}


def test_colours_are_counted_in_stripes(monkeypatch):
    monkeypatch.setattr(mask_values, "STRIPE_PIXELS", 8)
    mask = np.zeros((7, 4, 3), np.uint8)
    mask[2:, :, 0], mask[5:, 1:, 2] = 255, 9
    found = mask_of(mask)
    assert dict(found.colours) == {(0, 0, 0): 8, (255, 0, 0): 14, (255, 0, 9): 6} and found.most_in_one == 3


def test_colours_of_16_bits_do_not_overflow():
    mask = np.zeros((4, 4, 3), np.uint16)
    mask[0, 0] = (65535, 0, 0)
    assert min(min(colour) for colour in mask_of(mask).colours) == 0 and sum(mask_of(mask).colours.values()) == 16


def test_one_mask_may_be_unreadable_and_several_are_an_error(tmp_path):
    files = [tmp_path / f"{number}.tif" for number in range(6)]
    for file in files:
        tifffile.imwrite(file, np.ones((2, 2), np.uint8))
    files[1].write_bytes(b"")
    assert read_mask_values(files).files == 5
    files[4].write_bytes(b"")
    with pytest.raises(SegappError, match=r"1\.tif"):
        read_mask_values(files)
    with pytest.raises(SegappError, match=r"1\.tif"):
        read_mask_values(files[1:2])
