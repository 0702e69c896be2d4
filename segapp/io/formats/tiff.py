"""TIFF: one image, or the slices of a stack, read in windows."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import lru_cache
from math import prod
from pathlib import Path

import numpy as np
import tifffile

from segapp.errors import SegappError
from segapp.io.file_part import FilePart, read_stamp
from segapp.io.formats import tiff_tags
from segapp.io.formats.format import MaskLayout, MaskSink, RowFilter
from segapp.io.formats.mapped_values import map_values
from segapp.io.formats.slices import Grid
from segapp.io.formats.tiff_image import NAME, describe_values, read_image_header, read_image_window, read_mask_page
from segapp.io.formats.tiff_pages import find_mask, find_series, find_shape, is_plain_page, open_tiff, open_unknown_tiff
from segapp.io.formats.tiff_pixels import get_dtype
from segapp.io.formats.tiff_stack import Stack, describe_stack, find_stack, read_plane, read_planes, write_stack
from segapp.io.formats.tiff_writer import open_tiff_rows
from segapp.io.formats.volume import Volume, VolumeFormat, make_flat_grid, parse_part
from segapp.io.header import Header, Window
from segapp.spec import SliceAxis

HELD = 2**28
"""Bytes of a compressed stack that is decoded at once and kept, as a volume; of a larger one the planes are decoded."""


class Tiff(VolumeFormat):
    """TIFF, BigTIFF, GeoTIFF and what microscopes write as TIFF: the pages of one image, or the slices of a stack."""

    name = NAME
    suffixes = (".tif", ".tiff", ".svs", ".ndpi", ".scn", ".bif")
    written_suffixes = (".tif", ".tiff")
    magic = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
    has_levels = True
    writes_images = True
    streams_masks = True

    def list_slices(self, file: FilePart, axis: SliceAxis) -> tuple[str, ...]:
        """Return the names of the slices across an axis; `auto` stands for that of the planes."""
        if _is_plainly_flat(file.path, read_stamp([file.path])):
            return ("",)
        return super().list_slices(file, "axial" if axis == "auto" else axis)

    def has_part(self, file: FilePart) -> bool:
        """Return whether a stack has this slice, across whichever axis."""
        if _is_plainly_flat(file.path, read_stamp([file.path])):
            return not file.part
        return super().has_part(file)

    def read_volume(self, path: Path) -> Volume:
        """Return a stack without its values, or one image."""
        with open_unknown_tiff(path) as file:
            series = find_series(path, file)
            stack = find_stack(path, series)
            if stack is None:
                height, width, bands = find_shape(path, series)
                grid = make_flat_grid((height, width), (1, 1))
                return Volume(self.name, grid, True, bands, get_dtype(path, series))
            if find_mask(path, file, stack.sizes[1:]) is not None or tiff_tags.read_orientation(series.keyframe) > 1:
                raise SegappError(f"{path}: stack with a mask page or turned pages; save it without, upright.")
            return describe_stack(path, file, series, stack, tiff_tags.read_geometry(series.keyframe).get("pixel_size"))

    def read_grid(self, file: FilePart) -> Grid | None:
        """Return where the voxels of a stack lie; None for one image."""
        volume = self._read(file)
        return None if volume.is_flat else volume.grid

    def read_header(self, file: FilePart) -> Header:
        """Return the header from the tags; no pixel is decoded. Raise SegappError for a file of unreadable windows."""
        if not file.part:
            return read_image_header(file.path, file.resolution)
        if file.resolution is not None:
            raise SegappError(f"{file.path}: a stack has no levels; leave `resolution` out.")
        header = super().read_header(file)
        with open_unknown_tiff(file.path) as opened:
            return replace(header, **describe_values(file.path, find_series(file.path, opened).keyframe, header.bands))

    def read_window(self, file: FilePart, header: Header, window: Window) -> np.ndarray:
        """Return (h, w, C) as stored, in the machine's byte order; only the tiles under the window are decoded.

        Of stacks that are compressed all slices are decoded and kept, unless they are too many.
        """
        if not file.part:
            return read_image_window(file.path, file.resolution, header, window)
        volume = self._read(file)
        axis, index = parse_part(file.part)
        if axis != "axial" or volume.offset is not None or volume.nbytes <= HELD:
            return super().read_window(file, header, window)
        with open_tiff(file.path) as opened:
            series = find_series(file.path, opened)
            return read_plane(file.path, opened, series, volume.source, index, window).astype(header.dtype, copy=False)

    def map_voxels(self, path: Path, volume: Volume) -> np.ndarray:
        """Return all values of an uncompressed stack by the axes of its grid and channels, read when looked at."""
        values = map_values(path, volume.dtype, volume.offset or 0, prod(volume.shape))
        stack: Stack = volume.source
        return stack.arrange(values)

    def decode(self, path: Path, volume: Volume) -> np.ndarray:
        """Return all values of a compressed stack by the axes of its grid and channels."""
        with open_tiff(path) as file:
            return read_planes(path, file, find_series(path, file), volume)

    def read_valid(self, file: FilePart, window: Window) -> np.ndarray:
        """Return (h, w): 0 where the file's mask page says that nothing was measured."""
        return read_mask_page(file.path, window)

    def write_image(self, path: Path, pixels: np.ndarray) -> None:
        """Write (H, W) or (H, W, 3) uint8, compressed without loss."""
        photometric = "rgb" if pixels.ndim == 3 else "minisblack"
        tifffile.imwrite(path, pixels, compression="adobe_deflate", metadata=None, photometric=photometric)

    def open_mask(
        self, path: Path, layout: MaskLayout, filter_rows: RowFilter = iter
    ) -> AbstractContextManager[MaskSink]:
        """Return a context whose writer writes rows while they come, with the geometry of the layout's `meta`.

        The slices of a stack are written at its end.
        """
        return (
            open_tiff_rows(path, layout, filter_rows) if "" in layout.sizes else self._hold(path, layout, filter_rows)
        )

    def write_masks(self, path: Path, masks: Mapping[str, np.ndarray], layout: MaskLayout) -> None:
        """Write the masks of all slices as one stack, with the axes and distances of its image."""
        write_stack(path, *self.join_slices(masks, layout), layout)

    def write_volume(self, path: Path, mask: np.ndarray, volume: Volume) -> None:
        """Write a mask ((T,) slices, H, W) uint8 as one stack, with the axes and distances of its image."""
        write_stack(path, mask, volume, MaskLayout({}))


@lru_cache(maxsize=2**14)
def _is_plainly_flat(path: Path, stamp: tuple[int, int]) -> bool:
    """Return whether the tags alone show that a file is one image, in half of the time of looking at all it says."""
    with open_unknown_tiff(path) as file:
        return is_plain_page(file)
