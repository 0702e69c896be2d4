"""NIfTI-1 and NIfTI-2 in one file, plain or compressed."""

import gzip
import logging
import zlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from segapp.errors import SegappError
from segapp.io.file_part import read_stamp
from segapp.io.formats.format import START
from segapp.io.formats.gzip_data import GzipBlocks, decompress_start
from segapp.io.formats.libraries import import_library
from segapp.io.formats.slices import Grid
from segapp.io.formats.tile_cache import TileCache
from segapp.io.formats.volume import (
    TRAILING,
    Volume,
    VolumeFormat,
    check_affine,
    make_flat_grid,
    require_sizes,
    require_stored,
)

GZIP = b"\x1f\x8b"
HEADERS = {348: (344, b"n+1\0"), 540: (4, b"n+2\0")}
"""Bytes of a header, which are its first number, and where the word stands that says: the voxels follow."""

LARGEST_OFFSET = 2**20
"""Bytes before the voxels: extensions, which are not read."""

BLOCKS = TileCache(2**26)
"""Blocks of compressed files that are not held as a whole."""

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])

MILLIMETRES = {"meter": 1000.0, "mm": 1.0, "micron": 0.001, "unknown": 1.0}


class Nifti(VolumeFormat):
    """NIfTI of one file, .nii or .nii.gz; slices as radiologists see them, whatever the order of the voxels."""

    name = "NIfTI"
    suffixes = (".nii.gz", ".nii")

    def recognises(self, start: bytes) -> bool:
        """Return whether a file that begins with these bytes is NIfTI, compressed or not."""
        try:
            return _find_header_size(_decompress_start(start)) is not None
        except zlib.error:
            return False

    def read_volume(self, path: Path) -> Volume:
        """Return a volume without its voxels; its extensions are not read."""
        nibabel = import_library("nibabel", "medical", path, self.name)
        nibabel.imageglobals.logger.setLevel(logging.CRITICAL)  # what is wrong is raised, too
        compressed = _is_compressed(path)
        header = _read_header(nibabel, path, compressed)
        sizes, channels = _find_sizes(path, tuple(map(int, header.get_data_shape())))
        dtype = header.get_data_dtype()
        if dtype.kind not in "uif" or dtype.itemsize > 8:
            raise SegappError(f"{path}: NIfTI with values of kind {dtype}; save integers or floats.")
        slope, intercept = header.get_slope_inter()
        offset = int(header.get_data_offset())
        if not 0 <= offset <= LARGEST_OFFSET:
            raise SegappError(f"{path}: NIfTI whose voxels begin at byte {offset:,}; save it without extensions.")
        is_flat = len(header.get_data_shape()) < 3
        volume = Volume(
            format=self.name,
            grid=_read_grid(path, header, sizes, is_flat),
            is_flat=is_flat,
            channels=channels,
            dtype=dtype,
            scale=None if slope in (None, 1.0) and intercept in (None, 0.0) else (slope, intercept or 0.0),
            offset=None if compressed else offset,
            source=header,
        )
        require_stored(path, volume, compressed)
        return volume

    def decode(self, path: Path, volume: Volume) -> np.ndarray:
        """Return all voxels (X, Y, Z, C) of a compressed file; no byte more than its header states is decompressed."""
        offset = int(volume.source.get_data_offset())
        data = _get_blocks(path, read_stamp([path])).decompress_all(path, offset + volume.nbytes, TRAILING)
        if len(data) < offset + volume.nbytes:
            found = max(0, len(data) - offset)
            raise SegappError(f"{path}: truncated NIfTI, {found:,} of {volume.nbytes:,} bytes are there.")
        voxels = np.frombuffer(data, volume.dtype, offset=offset)
        voxels.flags.writeable = False
        return voxels.reshape(volume.shape, order="F")

    def decode_plane(self, path: Path, volume: Volume, index: int) -> np.ndarray | None:
        """Return one plane (X, Y, 1, C) of a compressed file that was decoded before, from the blocks that hold it."""
        x, y, z, channels = volume.shape
        size = x * y * volume.dtype.itemsize
        stamp, offset = read_stamp([path]), int(volume.source.get_data_offset())
        blocks, planes = _get_blocks(path, stamp), []
        for channel in range(channels):
            first = offset + (channel * z + index) * size
            numbers = blocks.find_blocks(first, first + size)
            if not numbers:
                return None
            data = b"".join(_read_block(blocks, path, stamp, number) for number in numbers)
            start = first - blocks.get_position(numbers[0])
            planes.append(np.frombuffer(data, volume.dtype, x * y, start).reshape((x, y, 1), order="F"))
        return np.stack(planes, axis=3)

    def write_volume(self, path: Path, mask: np.ndarray, volume: Volume) -> None:
        """Write a mask with the affines, spacing and units of the image's header."""
        nibabel = import_library("nibabel", "medical", path, self.name)
        header = volume.source.copy()
        header.set_data_dtype(np.uint8)
        header.set_slope_inter(1, 0)
        header["cal_min"] = header["cal_max"] = 0
        kind = nibabel.Nifti2Image if isinstance(header, nibabel.Nifti2Header) else nibabel.Nifti1Image
        data = kind(mask[:, :, 0] if volume.is_flat else mask, None, header).to_bytes()
        if path.name.endswith(".gz"):
            data = gzip.compress(data, mtime=0)
        path.write_bytes(data)


@lru_cache(maxsize=256)  # files, of which each keeps up to 1.3 MB
def _get_blocks(path: Path, stamp: tuple[int, int]) -> GzipBlocks:
    return GzipBlocks()


def _read_block(blocks: GzipBlocks, path: Path, stamp: tuple[int, int], number: int) -> memoryview:
    return BLOCKS.get((path, stamp, number), lambda: np.frombuffer(blocks.read_block(path, number), np.uint8)).data


def _is_compressed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == GZIP


def _decompress_start(start: bytes) -> bytes:
    return zlib.decompressobj(wbits=31).decompress(start, max(HEADERS)) if start.startswith(GZIP) else start


def _find_header_size(start: bytes) -> int | None:
    for size, (place, word) in HEADERS.items():
        if start[:4] in (size.to_bytes(4, "little"), size.to_bytes(4, "big")) and start[place : place + 4] == word:
            return size
    return None


def _read_start(path: Path, compressed: bool) -> bytes:
    if compressed:
        return bytes(decompress_start(path, max(HEADERS)))
    with path.open("rb") as file:
        return file.read(max(HEADERS))


def _read_header(nibabel: Any, path: Path, compressed: bool) -> Any:
    start = _read_start(path, compressed)
    size = _find_header_size(start)
    if size is None or len(start) < size:
        raise SegappError(
            f"{path}: no NIfTI in one file{', or a truncated one' if len(start) < START else ''}; save it as .nii.gz."
        )
    kind = nibabel.Nifti1Header if size == min(HEADERS) else nibabel.Nifti2Header
    return kind(binaryblock=start[:size])


def _read_grid(path: Path, header: Any, sizes: tuple[int, int, int], is_flat: bool) -> Grid:
    unit = MILLIMETRES.get(header.get_xyzt_units()[0], 1.0)
    if is_flat:
        x, y = (float(each) * unit for each in header.get_zooms()[:2])
        return make_flat_grid(sizes[:2], (x, y))
    affine = RAS_TO_LPS @ check_affine(path, Nifti.name, header.get_best_affine())
    affine[:3] *= unit
    return Grid(affine, sizes)


def _find_sizes(path: Path, shape: tuple[int, ...]) -> tuple[tuple[int, int, int], int]:
    """Return the voxels along three axes, and the channels: what the fourth axis, or the fifth, holds."""
    require_sizes(path, Nifti.name, shape)
    x, y, z, *more = (*shape, 1, 1)[: max(3, len(shape))]
    channels = [size for size in more if size > 1]
    if len(shape) < 2 or len(channels) > 1:
        raise SegappError(f"{path}: NIfTI of {' x '.join(map(str, shape))} values; save volumes of x, y, z, channels.")
    return (x, y, z), channels[0] if channels else 1
