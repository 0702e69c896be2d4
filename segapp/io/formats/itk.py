"""Volumes that SimpleITK reads, and NRRD of one file."""

import re
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from segapp.errors import SegappError
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
    """A format of SimpleITK whose text header is checked first: no file makes another one be opened."""

    reader: ClassVar[str]
    """SimpleITK's reader and writer of this format."""

    @abstractmethod
    def check_header(self, path: Path, content: mmap) -> bool:
        """Return whether voxels are stored as they are; raise SegappError for a header that names other files."""

    def read_volume(self, path: Path) -> Volume:
        """Return a volume without its voxels."""
        library = import_library("SimpleITK", "medical", path, self.name)
        with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
            is_raw = self.check_header(path, content)
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
        require_stored(path, volume, compressed=True)
        if is_raw and path.stat().st_size < volume.nbytes:
            raise SegappError(
                f"{path}: truncated {self.name}, {path.stat().st_size:,} of {volume.nbytes:,} bytes are there."
            )
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

    def _make_reader(self, library: Any, path: Path) -> Any:
        reader = library.ImageFileReader()
        reader.SetImageIO(self.reader)
        reader.SetFileName(str(path))
        return reader


class Nrrd(ItkFormat):
    """NRRD with its header attached."""

    name = "NRRD"
    suffixes = (".nrrd",)
    magic = (b"NRRD000",)
    reader = "NrrdImageIO"

    def check_header(self, path: Path, content: mmap) -> bool:
        """Return whether the encoding is raw; raise SegappError for a detached header."""
        start = content[:LONGEST_HEADER]
        end = start.find(b"\n\n")
        # Where lines end otherwise, programs disagree on where the header does.
        header = content[: end + 1] if end >= 0 else content
        if re.search(rb"[\r\n]\s*data ?file\s*:", header, re.IGNORECASE):
            raise SegappError(f"{path}: NRRD header of voxels in another file; save both as one .nrrd file.")
        return re.search(rb"[\r\n]encoding: *raw\b", header, re.IGNORECASE) is not None


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
