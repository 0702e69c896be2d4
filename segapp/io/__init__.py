"""Pixels in and out: one lazy reference to an image file, one atomic writer."""

from segapp.io.csv_table import read_table, write_table
from segapp.io.folders import folders_under, real_path
from segapp.io.formats.tiff_writer import TiffRows, tiff_rows
from segapp.io.image import Image
from segapp.io.intensity import require_range
from segapp.io.mask import MaskPixels, mask_orientation, mask_window
from segapp.io.raw import MAX_PIXELS, SUFFIXES, raw_shape, raw_window, read_raw
from segapp.io.write import atomic_folder, atomic_path, require_writable, telling, write_image, write_mask

__all__ = [
    "Image",
    "MaskPixels",
    "mask_window",
    "mask_orientation",
    "read_raw",
    "require_range",
    "require_writable",
    "raw_shape",
    "raw_window",
    "SUFFIXES",
    "MAX_PIXELS",
    "folders_under",
    "real_path",
    "atomic_path",
    "atomic_folder",
    "telling",
    "tiff_rows",
    "TiffRows",
    "read_table",
    "write_table",
    "write_mask",
    "write_image",
]
