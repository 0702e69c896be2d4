"""Volumes that SimpleITK reads once their text header was checked."""

import re
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from segapp.errors import SegappError
from segapp.io.file_part import FilePart, read_stamp
from segapp.io.formats.detached_data import StoredVoxels
from segapp.io.formats.libraries import import_library
from segapp.io.formats.slices import Grid
from segapp.io.formats.volume import (
    Volume,
    VolumeFormat,
    check_affine,
    make_flat_grid,
    require_sizes,
    require_stored,
)

LONGEST_HEADER = 2**20
"""Bytes of a text header."""

MOST_AXES = 4


@dataclass(frozen=True)
class Geometry:
    """Where a file places its voxels, in SimpleITK's terms."""

    spacing: tuple[float, ...]
    origin: tuple[float, ...]
    direction: tuple[float, ...]


class ItkFormat(VolumeFormat):
    """A format of SimpleITK whose text header is checked first: it makes no file be opened but one beside it.

    The second of its suffixes is that of headers whose voxels are in another file.
    """

    reader: ClassVar[str]
    """SimpleITK's reader and writer of this format."""

    @abstractmethod
    def find_voxels(self, path: Path, content: mmap) -> StoredVoxels:
        """Return where the voxels are; raise SegappError for a header that names other files than one beside it."""

    def is_detached(self, path: Path) -> bool:
        """Return whether a file is a header whose voxels may be in another file, by its name."""
        return path.name.lower().endswith(self.suffixes[1])

    def list_files(self, file: FilePart) -> tuple[Path, ...]:
        """Return the file, and the one beside it that holds the voxels."""
        if not self.is_detached(file.path):
            return (file.path,)
        return tuple(dict.fromkeys((file.path, _find_stored(self, file.path, read_stamp([file.path])).file)))

    def read_volume(self, path: Path) -> Volume:
        """Return a volume without its voxels."""
        library = import_library("SimpleITK", "medical", path, self.name)
        stored = self.open_header(path)
        reader = self._make_reader(library, path)
        with _explain_library(path, self.name):
            reader.ReadImageInformation()
        shape = tuple(reader.GetSize())
        require_sizes(path, self.name, shape)
        components = reader.GetNumberOfComponents()
        if not 2 <= len(shape) <= MOST_AXES or (len(shape) == MOST_AXES and components > 1):
            raise SegappError(f"{path}: {self.name} of {len(shape)} axes; save volumes of x, y, z, channels.")
        volume = Volume(
            format=self.name,
            grid=_read_grid(path, self.name, reader),
            is_flat=len(shape) == 2,
            channels=components if len(shape) < MOST_AXES else shape[3],
            dtype=_read_dtype(path, self.name, library, reader.GetPixelID()),
            source=Geometry(*_read_geometry(reader)),
        )
        require_stored(stored.file, volume, compressed=True)
        if stored.is_raw:
            _require_size(path, stored.file, volume)
        return volume

    def decode(self, path: Path, volume: Volume) -> np.ndarray:
        """Return all voxels (X, Y, Z, C)."""
        library = import_library("SimpleITK", "medical", path, self.name)
        with _explain_library(path, self.name):
            return arrange(library.GetArrayFromImage(self._make_reader(library, path).Execute()), volume)

    def write_volume(self, path: Path, mask: np.ndarray, volume: Volume) -> None:
        """Write a mask with the spacing, origin and direction of the image."""
        library = import_library("SimpleITK", "medical", path, self.name)
        values = np.ascontiguousarray(mask.transpose(2, 1, 0))
        image = library.GetImageFromArray(values[0] if volume.is_flat else values)
        axes, geometry = image.GetDimension(), volume.source
        image.SetSpacing(geometry.spacing[:axes])
        image.SetOrigin(geometry.origin[:axes])
        image.SetDirection(_crop_direction(geometry.direction, axes).ravel().tolist())
        writer = library.ImageFileWriter()
        writer.SetImageIO(self.reader)
        writer.SetFileName(str(path))
        writer.UseCompressionOn()
        writer.Execute(image)

    def open_header(self, path: Path) -> StoredVoxels:
        """Return where the voxels of a file are."""
        with map_file(path) as content:
            return self.find_voxels(path, content)

    def _make_reader(self, library: Any, path: Path) -> Any:
        reader = library.ImageFileReader()
        reader.SetImageIO(self.reader)
        reader.SetFileName(str(path))
        return reader


@contextmanager
def map_file(path: Path) -> Iterator[mmap]:
    """Give the bytes of a file, read where they are looked at; raise SegappError for an empty one."""
    if not path.stat().st_size:
        raise SegappError(f"{path}: the file is empty.")
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        yield content


@lru_cache(maxsize=1024)
def _find_stored(found: ItkFormat, path: Path, stamp: tuple[int, int]) -> StoredVoxels:
    return found.open_header(path)


def _require_size(path: Path, file: Path, volume: Volume) -> None:
    """Raise SegappError for voxels that are not compressed and fewer, or in a file of their own more, than stated."""
    size, needed = file.stat().st_size, volume.nbytes
    if size < needed:
        raise SegappError(f"{file}: truncated {volume.format}, {size:,} of {needed:,} bytes are there.")
    if file != path and size > needed:
        raise SegappError(
            f"{file}: {size:,} bytes, but its header {path} states {needed:,}; correct the sizes or the type there."
        )


def arrange(values: np.ndarray, volume: Volume) -> np.ndarray:
    """Return values in the order of the file as (X, Y, Z, C)."""
    x, y, z = volume.grid.sizes
    if len(volume.source.spacing) == MOST_AXES:  # the slowest axis holds the channels
        return values.reshape(volume.channels, z, y, x).transpose(3, 2, 1, 0)
    return values.reshape(z, y, x, volume.channels).transpose(2, 1, 0, 3)


@contextmanager
def _explain_library(path: Path, name: str) -> Iterator[None]:
    """Turn the library's error, of many lines and paths of its own, into one sentence."""
    try:
        yield
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].rpartition("): ")[2]
        raise SegappError(f"{path}: {name} that is broken or truncated ({reason[:200]}).") from error


def _read_geometry(reader: Any) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    return tuple(reader.GetSpacing()), tuple(reader.GetOrigin()), tuple(reader.GetDirection())


def _crop_direction(direction: tuple[float, ...], axes: int) -> np.ndarray:
    side = round(len(direction) ** 0.5)
    return np.reshape(direction, (side, side))[:axes, :axes]


def _read_grid(path: Path, name: str, reader: Any) -> Grid:
    sizes, (spacing, origin, direction) = reader.GetSize(), _read_geometry(reader)
    if len(sizes) == 2:
        return make_flat_grid((sizes[0], sizes[1]), (spacing[0], spacing[1]))
    affine = np.eye(4)
    affine[:3, :3] = _crop_direction(direction, 3) * np.array(spacing[:3])
    affine[:3, 3] = origin[:3]
    return Grid(check_affine(path, name, affine), (sizes[0], sizes[1], sizes[2]))


def _read_dtype(path: Path, name: str, library: Any, pixel: int) -> np.dtype[Any]:
    text = library.GetPixelIDValueAsString(pixel)
    match = re.fullmatch(r"(?:vector of )?(\d+)-bit (unsigned integer|signed integer|float)", text)
    if match is None:
        raise SegappError(f"{path}: {name} with values of kind {text}; save integers or floats.")
    kind = {"unsigned integer": "u", "signed integer": "i", "float": "f"}[match[2]]
    return np.dtype(f"{kind}{int(match[1]) // 8}")
