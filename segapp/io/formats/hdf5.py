"""HDF5: one array of a file, found by its name where there are several."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from segapp.errors import SegappError
from segapp.io.formats.libraries import import_library
from segapp.io.formats.numpy_array import ROWS_FIRST, find_array_sizes
from segapp.io.formats.slices import Grid
from segapp.io.formats.volume import Volume, VolumeFormat, require_stored

FILTERS = {1: "deflate", 2: "shuffle", 3: "fletcher32", 4: "szip", 5: "nbit", 6: "scaleoffset", 32000: "lzf"}
"""Filters by their numbers that HDF5 has without plugins, which are code that is found by settings of the machine."""

CHUNK_CACHE = 2**24
"""Bytes of decompressed chunks that the library keeps while a file is read."""

LARGEST_CHUNK = 2**28
"""Bytes of a chunk, which is decompressed as a whole."""

MOST_OBJECTS = 10_000
"""Objects of a file among which arrays are searched for."""

SHOWN = 6


class Hdf5(VolumeFormat):
    """HDF5 arrays (H, W), (H, W, C), (slices, H, W) or (slices, H, W, C), as those of NumPy."""

    name = "HDF5"
    suffixes = (".h5", ".hdf5")
    magic = (b"\x89HDF\r\n\x1a\n",)
    has_arrays = True

    def read_volume(self, path: Path) -> Volume:
        """Return the only array of a file without its values."""
        return self.read_array(path, "")

    def read_array(self, path: Path, array: str) -> Volume:
        """Return an array without its values, by its path in the file; an empty one stands for the only array."""
        with _open(path) as file:
            found = _find_array(path, file, array)
            _require_own_values(path, found)
            sizes, channels, is_flat = find_array_sizes(path, f"{self.name} {found.name}", found.shape)
            volume = Volume(
                format=self.name,
                grid=Grid(ROWS_FIRST, sizes),
                is_flat=is_flat,
                channels=channels,
                dtype=np.dtype(np.uint8) if found.dtype.kind == "b" else found.dtype,
                is_measured=False,
                source=found.name,
            )
        require_stored(path, volume, compressed=True)
        return volume

    def decode(self, path: Path, volume: Volume) -> np.ndarray:
        """Return all values (slices, H, W, C)."""
        with _open(path) as file:
            found = _find_array(path, file, volume.source)
            _require_own_values(path, found)
            return np.asarray(found[()]).astype(volume.dtype, copy=False).reshape(volume.shape)

    def write_volume(self, path: Path, mask: np.ndarray, volume: Volume) -> None:
        """Write a mask (slices, H, W), or (H, W) of one image, under the name of the image's array."""
        h5py = import_library("h5py", "hdf5", path, self.name)
        with h5py.File(path, "w", locking=False) as file:
            values = mask[0] if volume.is_flat else mask
            file.create_dataset(volume.source, data=values, compression="gzip", track_times=False)


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    h5py = import_library("h5py", "hdf5", path, Hdf5.name)
    with h5py.File(path, "r", rdcc_nbytes=CHUNK_CACHE, locking=False) as file:
        yield file


def _find_array(path: Path, file: Any, name: str) -> Any:
    """Return an array; raise SegappError where none, or several, are meant, or a link leads out of the file."""
    import h5py

    if not name:
        names = _list_arrays(path, file)
        if len(names) != 1:
            shown = ", ".join(names[:SHOWN]) + (" …" if len(names) > SHOWN else "") or "none of images"
            raise SegappError(
                f"{path}: {Hdf5.name} of {len(names)} arrays ({shown}), not one; name it after the path, as in "
                f"'{path.name}:{names[0] if names else '/image'}'."
            )
        name = names[0]
    found = file
    for part in name.strip("/").split("/"):
        links = found.id.links if isinstance(found, h5py.Group) else None
        if links is None or not links.exists(part.encode()):
            raise SegappError(
                f"{path}: {Hdf5.name} without the array {name}; there is {', '.join(_list_arrays(path, file)[:SHOWN])}."
            )
        if links.get_info(part.encode()).type != h5py.h5l.TYPE_HARD:
            raise SegappError(f"{path}: {Hdf5.name} whose {name} is a link to another place; save the array itself.")
        found = found[part]
    if not isinstance(found, h5py.Dataset):
        raise SegappError(f"{path}: {name} of the {Hdf5.name} file is no array but a group; name an array in it.")
    return found


def _list_arrays(path: Path, file: Any) -> list[str]:
    """Return the names of arrays of numbers of two to four axes; links are not followed."""
    import h5py

    names, seen = [], 0

    def visit(name: str, found: Any) -> bool | None:
        nonlocal seen
        seen += 1
        if isinstance(found, h5py.Dataset) and found.dtype.kind in "buif" and 2 <= len(found.shape) <= 4:
            names.append(f"/{name}")
        return True if seen > MOST_OBJECTS else None

    if file.visititems(visit):
        raise SegappError(f"{path}: {Hdf5.name} of more than {MOST_OBJECTS:,} objects; name the array.")
    return names


def _require_own_values(path: Path, found: Any) -> None:
    """Raise SegappError for values that are no numbers, are in other files, or need code that the file names."""
    what = f"{path}: {Hdf5.name} array {found.name}"
    if found.dtype.kind not in "buif" or found.dtype.itemsize > 8 or found.shape is None:
        raise SegappError(f"{what} of {found.dtype}; save integers or floats (objects are never read).")
    if found.is_virtual or found.external:
        raise SegappError(f"{what} has its values in other files; save them in the array.")
    plist = found.id.get_create_plist()
    numbers = [plist.get_filter(index)[0] for index in range(plist.get_nfilters())]
    if unknown := [number for number in numbers if number not in FILTERS]:
        raise SegappError(f"{what} is compressed by the plugin {unknown[0]}; save it with gzip compression.")
    if found.chunks is not None and prod(found.chunks) * found.dtype.itemsize > LARGEST_CHUNK:
        raise SegappError(f"{what} has chunks of more than {LARGEST_CHUNK:,} bytes; save it with smaller ones.")
