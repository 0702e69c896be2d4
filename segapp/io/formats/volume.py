"""Formats whose files are volumes: every slice is an image, and the masks of all slices are one volume again."""

import re
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from segapp.errors import SegappError
from segapp.io.file_part import FilePart, read_stamp
from segapp.io.formats.format import Format, MaskLayout
from segapp.io.formats.mapped_values import map_values
from segapp.io.formats.slices import AXES, Grid
from segapp.io.formats.volume_cache import VolumeCache
from segapp.io.header import Header, Window
from segapp.spec import SliceAxis

MAX_BYTES = 2**30
"""Bytes of a volume that is decoded at once: 1 GiB, 2,000 slices of 16 bits and 512 x 512 pixels."""

DEFLATE = 1032
"""Bytes that one byte of deflate data can stand for at most."""

MAX_SLICES = 2**16
"""Slices of a volume: each has a name, and a mask of its own."""

TRAILING = 2**20
"""Bytes after the last voxel that are decompressed, because the checksum of all of them follows."""

VOLUMES = VolumeCache(2**28)
"""Decoded volumes, in each process: one of 512 x 512 x 500 voxels of 16 bits, or thousands of small ones."""

LAST = 2
"""The axis of an array (X, Y, Z, C) whose planes lie one after the other in most files."""

PART = re.compile(rf"({'|'.join(AXES)})=(\d+)")


@dataclass(frozen=True, eq=False)
class Volume:
    """A volume without its voxels.

    Attributes:
        format: The name of its file format.
        grid: Where its voxels lie.
        is_flat: Whether the file says that it is one image and no volume.
        channels: Values of a voxel.
        dtype: Of stored values, in the file's byte order.
        scale: Factor and summand of stored values, where they stand for others.
        offset: Where the voxels begin in an uncompressed file; None where they are decoded from the whole file.
        is_measured: Whether the file says how large a voxel is.
        source: What the format needs to write a mask of the same geometry.
    """

    format: str
    grid: Grid
    is_flat: bool
    channels: int
    dtype: np.dtype[Any]
    scale: tuple[float, float] | None = None
    offset: int | None = None
    is_measured: bool = True
    source: Any = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along the array's axes, and channels."""
        return (*self.grid.shape, self.channels)

    @property
    def nbytes(self) -> int:
        """Bytes of all voxels."""
        return prod(self.shape) * self.dtype.itemsize


class VolumeFormat(Format):
    """A format of volumes. A part is named by its axis and its place, as `axial=012`."""

    has_windows = True
    writes_masks = True
    holds_parts = True
    holds_slices = True

    @abstractmethod
    def read_volume(self, path: Path) -> Volume:
        """Return a volume without its voxels; raise SegappError for what cannot be read."""

    def read_array(self, path: Path, array: str) -> Volume:
        """Return an array of a file by its name, without its voxels; SegappError where files hold no named ones."""
        raise SegappError(f"{path}: {self.name} has no arrays with names; leave out ':{array}'.")

    @abstractmethod
    def decode(self, path: Path, volume: Volume) -> np.ndarray:
        """Return all voxels (X, Y, Z, C) as stored."""

    def decode_plane(self, path: Path, volume: Volume, index: int) -> np.ndarray | None:
        """Return the voxels (X, Y, 1, C) at a place on the last axis, as stored; None if all must be decoded."""
        return None

    def map_voxels(self, path: Path, volume: Volume) -> np.ndarray:
        """Return all voxels (X, Y, Z, C) of an uncompressed file, read where they are looked at."""
        values = map_values(path, volume.dtype, volume.offset or 0, prod(volume.shape))
        return values.reshape(volume.shape, order="F")

    @abstractmethod
    def write_volume(self, path: Path, mask: np.ndarray, volume: Volume) -> None:
        """Write a mask (X, Y, Z) uint8 with the geometry of a volume of this format."""

    def list_parts(self, file: FilePart) -> tuple[str, ...]:
        """Return the names of the slices across the axis that `auto` stands for."""
        return self.list_slices(file, "auto")

    def list_slices(self, file: FilePart, axis: SliceAxis) -> tuple[str, ...]:
        """Return the names of the slices across an axis; one empty name for a file of one image."""
        volume = self._read(file)
        if volume.is_flat:
            return ("",)
        axis = volume.grid.choose_axis(axis)
        count = volume.grid.count_slices(axis)
        if count > MAX_SLICES:
            raise SegappError(f"{file.path}: {count:,} slices, and {MAX_SLICES:,} at most are read; divide the volume.")
        return name_slices(axis, count)

    def has_part(self, file: FilePart) -> bool:
        """Return whether a volume has this slice, across whichever axis."""
        volume = self._read(file)
        if volume.is_flat or not PART.fullmatch(file.part):
            return volume.is_flat and not file.part
        axis, index = parse_part(file.part)
        count = volume.grid.count_slices(axis)
        return index < count and file.part == name_slice(axis, index, count)

    def read_header(self, file: FilePart) -> Header:
        """Return a slice without its pixels; `meta["volume"]` is what its mask needs to be written."""
        volume = self._read(file)
        axis, _ = parse_part(file.part)
        height, width = volume.grid.find_slice(np.broadcast_to(np.uint8(0), volume.grid.shape), axis, 0).shape
        dtype = np.dtype(np.float32) if volume.scale else volume.dtype.newbyteorder("=")
        meta: dict[str, Any] = {"volume": volume}
        if volume.is_measured:
            meta["pixel_size"] = volume.grid.get_pixel_size(axis)
        return Header(self.name, height, width, volume.channels, dtype, meta=meta)

    def read_window(self, file: FilePart, header: Header, window: Window) -> np.ndarray:
        """Return (h, w, C), scaled as the file says; what is decoded with it of other slices is kept."""
        volume = self._read(file)
        y, x, h, w = window
        view = self._find_slice(file, volume)
        pixels = np.array(view[y : y + h, x : x + w], volume.dtype.newbyteorder("="), order="C")
        if volume.scale is None:
            return pixels
        slope, intercept = volume.scale
        return (pixels * np.float64(slope) + np.float64(intercept)).astype(np.float32)

    def write_masks(self, path: Path, masks: Mapping[str, np.ndarray], layout: MaskLayout) -> None:
        """Write the masks of all slices as one volume in the geometry and orientation of the image's file."""
        self.write_volume(path, *self.join_slices(masks, layout))

    def join_slices(self, masks: Mapping[str, np.ndarray], layout: MaskLayout) -> tuple[np.ndarray, Volume]:
        """Return the mask uint8 that slices are of, and its image; ValueError for that of another format.

        The mask has the axes of the grid: (X, Y, Z), of several times (T, X, Y, Z).
        """
        volume = layout.meta.get("volume")
        if not isinstance(volume, Volume) or volume.format != self.name:
            raise ValueError(f"{self.name} holds masks of {self.name} images only; use .png or .tif")
        voxels = np.zeros(volume.grid.shape, np.uint8)
        for part, mask in masks.items():
            volume.grid.find_slice(voxels, *parse_part(part))[...] = mask
        return voxels, volume

    def read_grid(self, file: FilePart) -> Grid | None:
        """Return where the voxels of a volume lie."""
        return self._read(file).grid

    def _read(self, file: FilePart) -> Volume:
        return _read_volume(self, file.path, file.array, read_stamp(self.list_files(file)))

    def _find_slice(self, file: FilePart, volume: Volume) -> np.ndarray:
        """Return the view (H, W, C) of a slice, of a file that is mapped, held decoded, or decoded now."""
        axis, index = parse_part(file.part)
        if volume.offset is not None:
            return volume.grid.find_slice(self.map_voxels(file.path, volume), axis, index)
        key = file.path, file.array, file.reference, read_stamp(self.list_files(file))
        voxels = VOLUMES.find(key)
        across, place = volume.grid.locate_slice(axis, index)
        if voxels is None and across == LAST:
            plane = self.decode_plane(file.path, volume, place)
            if plane is not None:
                thin = replace(volume.grid, sizes=plane.shape[:3])
                return thin.find_slice(plane, axis, 0)
        if voxels is None:
            voxels = VOLUMES.get(key, lambda: self.decode(file.path, volume))
        return volume.grid.find_slice(voxels, axis, index)


@lru_cache(maxsize=1024)
def _read_volume(found: VolumeFormat, path: Path, array: str, stamp: tuple[int, int]) -> Volume:
    return found.read_array(path, array) if array else found.read_volume(path)


def name_slices(axis: SliceAxis, count: int) -> tuple[str, ...]:
    """Return the names of all slices across an axis, in natural and in alphabetical order."""
    return tuple(name_slice(axis, index, count) for index in range(count))


def name_slice(axis: SliceAxis, index: int, count: int) -> str:
    """Return the name of one of so many slices."""
    return f"{axis}={index:0{len(str(count - 1))}}"


def parse_part(part: str) -> tuple[SliceAxis, int]:
    """Return the axis and the place that a part's name means; an empty name is the only slice of an image."""
    axis, _, index = (part or "axial=0").partition("=")
    return next(each for each in AXES if each == axis), int(index)


def make_flat_grid(size: tuple[int, int], spacing: tuple[float, float]) -> Grid:
    """Return the grid of an image that is no volume: it is shown as it is stored, x to the right and y down."""
    x, y = (each if 0 < each < float("inf") else 1.0 for each in spacing)
    return Grid(np.diag([x, y, 1.0, 1.0]), (*size, 1))


def require_sizes(path: Path, name: str, sizes: tuple[int, ...]) -> None:
    """Raise SegappError for a volume without voxels, or of more than any program writes."""
    if min(sizes, default=0) < 1 or prod(sizes) > 2**40:
        raise SegappError(f"{path}: {name} of {' x '.join(map(str, sizes)) or 'no'} voxels.")


def require_stored(path: Path, volume: Volume, compressed: bool) -> None:
    """Raise SegappError for a file that cannot hold the voxels that its header states, or that are too many."""
    found, needed = path.stat().st_size, volume.nbytes
    if not compressed and found < (volume.offset or 0) + needed:
        whole = (volume.offset or 0) + needed
        raise SegappError(f"{path}: truncated {volume.format}, {found:,} of {whole:,} bytes are there.")
    if not compressed:
        return
    shape = " x ".join(map(str, volume.grid.sizes))
    if needed > found * DEFLATE:
        raise SegappError(
            f"{path}: {volume.format} of {shape} voxels in {found:,} bytes, which cannot hold them; it is "
            "truncated, or its header is wrong."
        )
    if needed > MAX_BYTES:
        raise SegappError(
            f"{path}: {volume.format} of {shape} voxels, {needed:,} bytes; up to {MAX_BYTES:,} are decoded. "
            "Save it as .nii or .npy, which are read slice by slice."
        )


def check_affine(path: Path, name: str, affine: np.ndarray) -> np.ndarray:
    """Return a volume's affine; raise SegappError for one that gives voxels no place."""
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-12:
        raise SegappError(f"{path}: {name} whose affine has no inverse, so its orientation is unknown; correct it.")
    return np.asarray(affine, np.float64)
