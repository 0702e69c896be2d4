"""Stacks in a TIFF: planes along z, time or both, which are the slices of one volume."""

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from segapp.errors import SegappError
from segapp.io.formats.format import MaskLayout
from segapp.io.formats.mask_palette import fill_palette
from segapp.io.formats.numpy_array import ROWS_FIRST
from segapp.io.formats.slices import Grid
from segapp.io.formats.tiff_image import NAME
from segapp.io.formats.tiff_pages import MAX_CHANNELS, PAGE_AXES, find_long_axes, has_rows_as_pages
from segapp.io.formats.tiff_pixels import decode_page, get_dtype, get_segment_size, require_data, require_stored
from segapp.io.formats.tiff_writer import make_colour_map, make_ome_sizes
from segapp.io.formats.volume import MAX_BYTES, Volume, require_sizes
from segapp.io.header import Window
from segapp.io.pixel_size import read_slice_distance

SLICE_AXES = "ZT" + PAGE_AXES
"""Letters of tifffile for the axes whose planes may be slices: z, time, and pages without a stated meaning."""


@dataclass(frozen=True)
class Stack:
    """How the pages of a TIFF are a stack."""

    axes: str
    """Letters of tifffile for all axes, those of the pages first; _ for those of length 1."""
    shape: tuple[int, ...]
    slices: str
    """The letter of the axis across which the slices lie; TZ for slices at several times."""
    kind: str
    """Who wrote the file, as tifffile calls it: imagej, ome, shaped …"""

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Slices at one time, rows and columns."""
        count, rows, columns = self._measure(f"{self.slices[-1]}YX")
        return count, rows, columns

    @property
    def times(self) -> int:
        """Times that have so many slices each."""
        return prod(self._measure(self.slices[:-1]))

    @property
    def channels(self) -> int:
        """Values of a pixel."""
        return prod(self.shape) // prod(self._measure(f"{self.slices}YX"))

    def arrange(self, values: np.ndarray) -> np.ndarray:
        """Return the values of a file as (slices, H, W, C), of several times (T, slices, H, W, C): a view."""
        kept = [axis for axis, length in zip(self.axes, self.shape, strict=True) if self._is_kept(axis, length)]
        values = values.reshape([self.shape[self.axes.index(axis)] for axis in kept])
        channels = [axis for axis in kept if axis not in f"{self.slices}YX"]
        values = values.transpose([kept.index(axis) for axis in [*self.slices, "Y", "X", *channels]])
        return values if channels else values[..., None]

    def list_pages(self, page_axes: int, index: int) -> list[int]:
        """Return the numbers of the pages of a slice, one for each channel that has pages of its own.

        Args:
            page_axes: How many of the axes are within a page.
            index: Of the slice, among those of all times.
        """
        axes, shape = self.axes[:-page_axes], self.shape[:-page_axes]
        place = dict(zip(self.slices, np.unravel_index(index, self._measure(self.slices)), strict=True))
        numbers = np.arange(prod(shape)).reshape(shape)[tuple(place.get(axis, slice(None)) for axis in axes)]
        return [int(number) for number in np.ravel(numbers)]

    def _measure(self, axes: str) -> tuple[int, ...]:
        """Return the lengths of axes."""
        return tuple(self.shape[self.axes.index(axis)] for axis in axes)

    def _is_kept(self, axis: str, length: int) -> bool:
        return length > 1 or axis in f"{self.slices}YX"


def find_stack(path: Path, series: Any) -> Stack | None:
    """Return how the pages are a stack, or None for those of one image; raise SegappError for axes of unknown order."""
    axes, shape = find_long_axes(series)
    across = "".join(sorted(axis for axis in axes if axis in SLICE_AXES))
    others = [axis for axis in axes if axis not in f"{SLICE_AXES}YXSC"]
    if not across or others or has_rows_as_pages(series):
        return None
    if len(across) == 1 and across in PAGE_AXES and len(axes) == 3 and shape[axes.index(across)] <= MAX_CHANNELS:
        return None  # they may be channels
    sizes = ", ".join(f"{axis}={length}" for axis, length in zip(axes, shape, strict=True))
    if len(across) > 1 and across != "TZ":
        raise SegappError(
            f"{path}: TIFF with the axes {sizes} does not say which pages are slices of one time; save it with "
            "its axes (tifffile: metadata={'axes': 'TZYX'}), or each volume as a file."
        )
    channels = [length for axis, length in zip(axes, shape, strict=True) if axis in "SC"]
    if len(channels) > 1 or max(channels, default=1) > MAX_CHANNELS:
        raise SegappError(
            f"{path}: TIFF with the axes {sizes}; a stack has one axis of up to {MAX_CHANNELS} channels. Save it so."
        )
    named = [
        axis if length > 1 or axis in "YX" else "_" for axis, length in zip(series.axes, series.shape, strict=True)
    ]
    return Stack("".join(named), tuple(series.shape), across, series.kind)


def describe_stack(
    path: Path, file: tifffile.TiffFile, series: Any, stack: Stack, pixel_size: tuple[float, float] | None
) -> Volume:
    """Return a stack without its values.

    Args:
        path: The file.
        file: Opened.
        series: Its pages.
        stack: How they are a stack.
        pixel_size: Height and width of a pixel in µm, where the file says it.

    Raises:
        SegappError: The file cannot hold what it states, or its values are no numbers.
    """
    rows, columns = pixel_size or (1000.0, 1000.0)
    distance = read_slice_distance(series.keyframe.description) if pixel_size else None
    spacing = [each / 1000 for each in (distance or rows, rows, columns)]
    grid = Grid(ROWS_FIRST @ np.diag([*spacing, 1.0]), stack.sizes, stack.times)
    require_sizes(path, NAME, grid.shape)
    if series.dataoffset is not None:
        require_stored(path, series)
    elif not {"Y", "X"} <= set(stack.axes[-len(series.keyframe.shape) :]):
        raise SegappError(f"{path}: TIFF with a page per row of each slice; save each slice in one page.")
    else:
        get_segment_size(series.keyframe)
        require_data(path, grid.shape, path.stat().st_size)
    is_mapped = series.dataoffset is not None
    return Volume(
        format=NAME,
        grid=grid,
        is_flat=False,
        channels=stack.channels,
        dtype=series.dtype.newbyteorder(file.byteorder) if is_mapped else get_dtype(path, series),
        offset=series.dataoffset if is_mapped else None,
        is_measured=pixel_size is not None,
        source=stack,
    )


def read_plane(
    path: Path, file: tifffile.TiffFile, series: Any, stack: Stack, index: int, window: Window
) -> np.ndarray:
    """Return a window (h, w, C) of a slice; only the tiles or strips under it are decoded."""
    numbers = stack.list_pages(len(series.keyframe.shape), index)
    pages = [series.pages[number] for number in numbers]
    if None in pages:
        raise SegappError(f"{path}: TIFF without the page of slice {index}; save it again.")
    return np.concatenate([decode_page(path, file, page, window) for page in pages], axis=2)


def read_planes(path: Path, file: tifffile.TiffFile, series: Any, volume: Volume) -> np.ndarray:
    """Return all values of a compressed stack, by the axes of its grid and channels; SegappError for too many."""
    stack: Stack = volume.source
    _, rows, columns = stack.sizes
    if volume.nbytes > MAX_BYTES:
        raise SegappError(
            f"{path}: {volume.nbytes:,} bytes of compressed slices; up to {MAX_BYTES:,} are decoded at once, as "
            "other axes than `axial` need. Save it without compression."
        )
    values = np.empty((volume.grid.count_slices("axial"), rows, columns, stack.channels), volume.dtype)
    for index in range(len(values)):
        values[index] = read_plane(path, file, series, stack, index, (0, 0, rows, columns))
    return values.reshape(volume.shape)


def write_stack(path: Path, mask: np.ndarray, volume: Volume, layout: MaskLayout) -> None:
    """Write a mask ((T,) slices, H, W) uint8 as the kind of TIFF that its image is: ImageJ, OME, or another."""
    stack: Stack = volume.source
    axes = "Z" if stack.slices in PAGE_AXES else stack.slices
    depth, rows, columns = (volume.grid.spacing[place] * 1000 for place in (2, 1, 0))
    metadata: dict[str, Any] = {"axes": f"{axes}YX"}
    if stack.kind == "imagej":
        if volume.is_measured:
            metadata |= {"unit": "um", "spacing": depth}
        if layout.palette is not None:
            metadata["LUTs"] = [np.ascontiguousarray(fill_palette(layout.palette).T)]
        resolution: dict[str, Any] = {"resolution": (1 / columns, 1 / rows)} if volume.is_measured else {}
        tifffile.imwrite(path, mask, imagej=True, metadata=metadata, **resolution)
        return
    is_ome = stack.kind == "ome"
    if is_ome and volume.is_measured:
        metadata |= make_ome_sizes(X=columns, Y=rows, Z=depth)
    colours: dict[str, Any] = {"photometric": "minisblack"}
    if layout.palette is not None:
        colours = {"photometric": "palette", "colormap": make_colour_map(layout.palette)}
    tifffile.imwrite(path, mask, ome=is_ome, metadata=metadata, compression="adobe_deflate", **colours)
