"""Pixels in and out: one lazy reference to an image file, one atomic writer."""

from segapp.io.array import scale_array
from segapp.io.csv_table import read_table, write_table
from segapp.io.folders import real_path, walk_folders
from segapp.io.formats.tiff_writer import TiffRows, open_tiff_rows
from segapp.io.image import Image
from segapp.io.intensity import require_range
from segapp.io.mask import MaskPixels, mask_orientation, mask_window
from segapp.io.raw import MAX_PIXELS, SUFFIXES, read_raw, read_shape, read_window
from segapp.io.write import (
    explain_errors,
    require_writable,
    write_atomically,
    write_folder_atomically,
    write_image,
    write_mask,
)

__all__ = [
    "Image",
    "MaskPixels",
    "mask_window",
    "mask_orientation",
    "read_raw",
    "require_range",
    "require_writable",
    "read_shape",
    "read_window",
    "scale_array",
    "SUFFIXES",
    "MAX_PIXELS",
    "walk_folders",
    "real_path",
    "write_atomically",
    "write_folder_atomically",
    "explain_errors",
    "open_tiff_rows",
    "TiffRows",
    "read_table",
    "write_table",
    "write_mask",
    "write_image",
]
