"""Arrays of NumPy: .npy, and .npz with one array."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np

from segapp.errors import SegappError
from segapp.io.formats.mapped_values import map_values
from segapp.io.formats.slices import Grid
from segapp.io.formats.volume import Volume, VolumeFormat, require_sizes, require_stored

NPY, ZIP = b"\x93NUMPY", b"PK\x03\x04"

COLOURS = 4
"""The longest last axis of a three-dimensional array that is channels and not the width of slices."""

HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}

LONGEST_HEADER = 10_000
"""Characters of a header, NumPy's own limit."""

ROWS_FIRST = np.array([[0.0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
"""An array's axes are head, back, left: slices, rows, columns."""


class NumpyArray(VolumeFormat):
    """An array (H, W), (H, W, C) of up to four channels, (slices, H, W), or (slices, H, W, C); never objects."""

    name = "NumPy"
    suffixes = (".npy", ".npz")
    magic = (NPY, ZIP)

    def recognises(self, start: bytes) -> bool:
        """Return whether a file begins as .npy, or as .npz: a zip whose first member is a .npy."""
        name_length = int.from_bytes(start[26:28], "little")
        return start.startswith(NPY) or (start.startswith(ZIP) and start[30 : 30 + name_length].endswith(b".npy"))

    def read_volume(self, path: Path) -> Volume:
        """Return an array without its values."""
        with _open_array(path) as (file, stored):
            shape, fortran, dtype = _read_header(path, file)
            offset = None if stored is not None else file.tell()
        if dtype.kind not in "buif" or dtype.itemsize > 8:
            raise SegappError(f"{path}: NumPy array of {dtype}; save integers or floats (objects are never read).")
        sizes, channels, is_flat = find_array_sizes(path, self.name, shape)
        volume = Volume(
            format=self.name,
            grid=Grid(ROWS_FIRST, sizes),
            is_flat=is_flat,
            channels=channels,
            dtype=np.dtype(np.uint8) if dtype.kind == "b" else dtype,
            offset=offset,
            is_measured=False,
            source=(shape, fortran),
        )
        require_stored(path, volume, compressed=stored is not None)
        return volume

    def decode(self, path: Path, volume: Volume) -> np.ndarray:
        """Return all values of a .npz; no byte more than its header states is decompressed."""
        with _open_array(path) as (file, _):
            _read_header(path, file)
            data = file.read(volume.nbytes)
        if len(data) < volume.nbytes:
            raise SegappError(f"{path}: truncated NumPy array, {len(data):,} of {volume.nbytes:,} bytes are there.")
        return _shape(np.frombuffer(data, volume.dtype), volume)

    def map_voxels(self, path: Path, volume: Volume) -> np.ndarray:
        """Return all values of a .npy, mapped."""
        return _shape(map_values(path, volume.dtype, volume.offset or 0, prod(volume.shape)), volume)

    def write_volume(self, path: Path, mask: np.ndarray, volume: Volume) -> None:
        """Write a mask (slices, H, W), or (H, W) of one image."""
        values = mask[0] if volume.is_flat else mask
        if path.name.lower().endswith(".npz"):
            np.savez_compressed(path, mask=values)
        else:
            np.save(path, values)


@contextmanager
def _open_array(path: Path) -> Iterator[tuple[IO[bytes], zipfile.ZipInfo | None]]:
    """Give the .npy in a file, and what a .npz says of it."""
    with path.open("rb") as file:
        if file.read(len(NPY)) == NPY:
            file.seek(0)
            yield file, None
            return
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len(members) != 1:
            names = ", ".join(member.filename for member in members[:4])
            raise SegappError(f"{path}: NumPy file of {len(members)} arrays ({names}); save each as a .npy file.")
        if members[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise SegappError(f"{path}: NumPy file of an unusual compression; save it with numpy.savez_compressed.")
        with archive.open(members[0]) as member:
            yield member, members[0]


def _read_header(path: Path, file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    if version not in HEADERS:
        raise SegappError(f"{path}: NumPy array of version {version}, which names fields; save integers or floats.")
    return HEADERS[version](file, max_header_size=LONGEST_HEADER)


def find_array_sizes(path: Path, name: str, shape: tuple[int, ...]) -> tuple[tuple[int, int, int], int, bool]:
    """Return slices, rows and columns, the channels, and whether the array is one image.

    Args:
        path: The file, for messages.
        name: What the array is called in messages.
        shape: Of the array.

    Raises:
        SegappError: It is no image and no volume.
    """
    require_sizes(path, name, shape)
    if len(shape) == 2:
        return (1, shape[0], shape[1]), 1, True
    if len(shape) == 3 and shape[2] <= COLOURS:
        return (1, shape[0], shape[1]), shape[2], True
    if len(shape) == 3:
        return (shape[0], shape[1], shape[2]), 1, False
    if len(shape) == 4:
        return (shape[0], shape[1], shape[2]), shape[3], False
    raise SegappError(
        f"{path}: {name} array of {' x '.join(map(str, shape))} values; save (H, W), (H, W, channels), (slices, H, W) "
        "or (slices, H, W, channels)."
    )


def _shape(values: np.ndarray, volume: Volume) -> np.ndarray:
    """Return (slices, H, W, C) of flat values in the order of the file."""
    shape, fortran = volume.source
    return values.reshape(shape, order="F" if fortran else "C").reshape(volume.shape)
