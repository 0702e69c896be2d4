"""Pixels in and out: one lazy reference to an image, formats by content, files written completely or not at all."""

from segapp.io.array import scale_array
from segapp.io.channel_files import find_channel, join_channel_files, recognise_channel_files
from segapp.io.csv_table import read_table, write_table
from segapp.io.file_part import FilePart, as_file_part
from segapp.io.folders import is_image_folder, lies_in_image, real_path, walk_folders
from segapp.io.formats.format import FileGroup, MaskLayout, MaskSink
from segapp.io.formats.registry import (
    find_mask_suffix,
    find_suffix,
    is_image,
    list_mask_suffixes,
    list_suffixes,
    list_written_suffixes,
    remove_suffix,
)
from segapp.io.image import Image
from segapp.io.image_search import (
    holds_arrays,
    list_folder_patterns,
    list_image_files,
    list_images,
    name_image,
    split_array,
)
from segapp.io.intensity import require_range
from segapp.io.mask import MaskPixels, read_mask_window
from segapp.io.outlines import decode_png, draw_outline, read_png_size
from segapp.io.raw import (
    count_times,
    has_windows,
    list_parts,
    list_slices,
    read_header,
    read_measured_window,
    read_raw,
    read_shape,
    read_window,
)
from segapp.io.volumes import explain_unlike_channels, explain_unlike_volumes, open_image
from segapp.io.write import (
    explain_errors,
    require_free,
    require_writable,
    shorten_name,
    write_atomically,
    write_folder_atomically,
)
from segapp.io.write_images import open_mask, require_replaceable, streams_masks, write_image, write_mask

__all__ = [
    "FileGroup",
    "FilePart",
    "Image",
    "MaskLayout",
    "MaskPixels",
    "MaskSink",
    "as_file_part",
    "count_times",
    "decode_png",
    "draw_outline",
    "explain_errors",
    "explain_unlike_channels",
    "explain_unlike_volumes",
    "find_channel",
    "find_mask_suffix",
    "find_suffix",
    "has_windows",
    "holds_arrays",
    "is_image",
    "is_image_folder",
    "join_channel_files",
    "lies_in_image",
    "list_folder_patterns",
    "list_image_files",
    "list_images",
    "list_mask_suffixes",
    "list_parts",
    "list_slices",
    "list_suffixes",
    "list_written_suffixes",
    "name_image",
    "open_image",
    "open_mask",
    "require_replaceable",
    "read_header",
    "read_mask_window",
    "read_measured_window",
    "read_png_size",
    "read_raw",
    "read_shape",
    "read_table",
    "read_window",
    "real_path",
    "recognise_channel_files",
    "remove_suffix",
    "require_range",
    "require_free",
    "require_writable",
    "scale_array",
    "split_array",
    "streams_masks",
    "walk_folders",
    "shorten_name",
    "write_atomically",
    "write_folder_atomically",
    "write_image",
    "write_mask",
    "write_table",
]
