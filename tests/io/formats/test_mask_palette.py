"""A colour for every value of a byte."""

from segapp.io.formats.mask_palette import fill_palette
from segapp.palette import IGNORED


def test_classes_come_first_and_ignored_pixels_have_their_own_colour():
    colours = fill_palette([(1, 2, 3), (4, 5, 6)])
    assert colours.shape == (256, 3) and colours.dtype == "uint8"
    assert colours[:3].tolist() == [[1, 2, 3], [4, 5, 6], [0, 0, 0]]
    assert tuple(colours[255].tolist()) == tuple(IGNORED)
    assert fill_palette([(9, 9, 9)] * 255)[254].tolist() == [9, 9, 9]
