"""RT structure sets of DICOM, and where their contours lie among the slices of a series."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from segapp.errors import SegappError
from segapp.io.file_part import FilePart
from segapp.io.formats.dicom import Series
from segapp.io.formats.dicom_files import IDENTITY, read_elements, silence_warnings
from segapp.io.formats.dicom_frames import stack_frames
from segapp.io.formats.dicom_structures import Contour, Region, is_structure_set, read_structure_set
from segapp.io.formats.slices import Grid
from segapp.io.formats.volume import LAST, Volume, parse_part
from segapp.io.raw import list_parts, read_header
from segapp.system.regular_files import describe_irregular

__all__ = ["Contour", "Region", "SeriesSpace", "read_series_space", "read_structure_set", "recognise_structure_set"]


@dataclass(frozen=True, eq=False)
class SeriesSpace:
    """The stored slices of a DICOM series, and where they lie in the patient.

    Attributes:
        placed: Where the voxels lie; of a single image too.
        shown: How slices are cut from the voxels: those of a single image as they are stored.
        instances: The SOP instances of its files.
        frame_of_reference: The UID of that of its positions; empty where the files have none.
    """

    placed: Grid
    shown: Grid
    instances: frozenset[str]
    frame_of_reference: str

    @property
    def plane(self) -> tuple[int, int]:
        """Rows and columns of a stored slice."""
        return self.placed.sizes[1], self.placed.sizes[0]

    @property
    def count(self) -> int:
        """How many slices are stored."""
        return self.placed.sizes[2]

    def find_voxels(self, points: np.ndarray) -> np.ndarray:
        """Return (N, 3) column, row and slice of positions in mm; whole numbers are the centres of voxels."""
        affine = self.placed.affine
        return np.linalg.solve(affine[:3, :3], (points - affine[:3, 3]).T).T

    def find_slice(self, part: str) -> int | None:
        """Return which of the stored slices an image is; None where it lies across them."""
        across, place = self.shown.locate_slice(*parse_part(part))
        return place if across == LAST else None

    def cut_image(self, part: str, read_planes: Callable[[int | None], np.ndarray]) -> np.ndarray:
        """Return the (H, W) view of an image, as it is shown.

        Args:
            part: The name of the image in the series.
            read_planes: Returns (slices, rows, columns): one of the stored slices, or all for None.
        """
        axis, index = parse_part(part)
        place = self.find_slice(part)
        voxels = read_planes(place).transpose(2, 1, 0)
        if place is None:
            return self.shown.find_slice(voxels, axis, index)
        columns, rows, _ = self.shown.sizes
        return replace(self.shown, sizes=(columns, rows, 1)).find_slice(voxels, axis, 0)


def read_series_space(image: FilePart) -> SeriesSpace:
    """Return where a series lies; raise SegappError for an image that is none, or that does not say where it lies."""
    volume = read_header(list_parts(image.path)[0]).meta.get("volume")
    if not isinstance(volume, Volume) or not isinstance(volume.source, Series):
        raise SegappError(f"{image.path}: not a series of DICOM, and an RT structure set lies on one only.")
    frames = volume.source.frames
    if any(frame.position is None or frame.axes is None for frame in frames):
        raise SegappError(f"{image.path}: has no positions in the patient, so no RT structure set can be placed on it.")
    _, placed = stack_frames(image.path, frames, volume.source.kind.size)
    return SeriesSpace(placed, volume.grid, frozenset(frame.instance for frame in frames), frames[0].space)


def recognise_structure_set(path: Path) -> bool:
    """Return whether a file is an RT structure set; also false for one that cannot be read."""
    if describe_irregular(path) is not None:
        return False
    try:
        with silence_warnings():
            return is_structure_set(read_elements(path, IDENTITY))
    except Exception:  # reported by what reads it as an image
        return False
