"""Slides: images of a data set that are stored at several resolutions."""

from dataclasses import replace

from segapp.io import FilePart, read_header
from segapp.spec import Resolution


def settle_resolution(first: FilePart, asked: Resolution) -> Resolution:
    """Return the µm per pixel that the level asked for has in the first image; unchanged where it does not know them.

    Scanners choose levels differently: level 1 is half of level 0 in files of one, and a quarter in those of another.
    """
    if asked.level is None:
        return asked
    measured = read_header(replace(first, resolution=asked)).meta.get("pixel_size")
    return asked if measured is None else Resolution(um_per_pixel=sum(measured) / 2)
