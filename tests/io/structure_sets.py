"""Series of DICOM in any orientation and RT structure sets on them, for tests."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ImplicitVRLittleEndian, RTStructureSetStorage, generate_uid

from tests.io.dicoms import make_slice, save

TURN = np.deg2rad(25)
OBLIQUE = (np.cos(TURN), np.sin(TURN), 0.0, -np.sin(TURN) * 0.8, np.cos(TURN) * 0.8, -0.6)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
FRAME = generate_uid(entropy_srcs=["frame"])

Polygon = Sequence[Sequence[float]]


class Place:
    """Where the slices of a series lie.

    Args:
        axes: Directions of rows and columns.
        spacing: Between columns, rows and slices.
        origin: The centre of the first pixel of the first slice.
    """

    def __init__(
        self,
        axes: Sequence[float] = (1, 0, 0, 0, 1, 0),
        spacing: Sequence[float] = (0.5, 0.75, 2.5),
        origin: Sequence[float] = (-10.25, 20.5, 31.0),
    ) -> None:
        self.axes, self.spacing, self.origin = np.array(axes, float), spacing, np.array(origin, float)
        self.normal = np.cross(self.axes[:3], self.axes[3:])

    def find(self, points: Any, index: float) -> np.ndarray:
        """Return (N, 3) positions of x, y in pixels, 0 the border of the first, on a slice."""
        x, y = np.asarray(points, float).T - 0.5
        moved = np.outer(x * self.spacing[0], self.axes[:3]) + np.outer(y * self.spacing[1], self.axes[3:])
        return self.origin + moved + index * self.spacing[2] * self.normal

    def write_series(self, folder: Path, planes: np.ndarray, **elements: Any) -> list[Path]:
        """Write (slices, rows, columns) as files whose names run against their positions."""
        paths = []
        for index, plane in enumerate(planes):
            own: dict[str, Any] = {
                "ImagePositionPatient": [f"{each:.9g}" for each in self.find([[0.5, 0.5]], index)[0]],
                "ImageOrientationPatient": [f"{each:.9g}" for each in self.axes],
                "PixelSpacing": [self.spacing[1], self.spacing[0]],
                "FrameOfReferenceUID": FRAME,
            }
            file = folder / f"IMG{len(planes) - index}.dcm"
            paths.append(save(make_slice(np.ascontiguousarray(plane), file.name, str(folder), **own | elements), file))
        return paths


def make_contour(points: np.ndarray, kind: str = "CLOSED_PLANAR", image: Path | None = None) -> Dataset:
    """Return a contour through (N, 3) positions, drawn on an image."""
    found = Dataset()
    found.ContourGeometricType, found.NumberOfContourPoints = kind, len(points)
    found.ContourData = [f"{each:.9g}" for each in np.ravel(points)]
    if image is not None:
        drawn = Dataset()
        drawn.ReferencedSOPInstanceUID = pydicom.dcmread(image, stop_before_pixels=True).SOPInstanceUID
        found.ContourImageSequence = [drawn]
    return found


def make_structure_set(regions: Sequence[tuple[str, Sequence[Dataset]]], frame: str | None = FRAME) -> Dataset:
    """Return a structure set of regions, each a name and contours."""
    found = Dataset()
    found.file_meta = FileMetaDataset()
    found.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    found.SOPClassUID, found.SOPInstanceUID, found.Modality = RTStructureSetStorage, generate_uid(), "RTSTRUCT"
    found.SeriesInstanceUID = generate_uid()
    found.StructureSetROISequence, found.ROIContourSequence = [], []
    for number, (name, contours) in enumerate(regions, start=1):
        head, outline = Dataset(), Dataset()
        head.ROINumber, head.ROIName, outline.ReferencedROINumber = number, name, number
        if frame is not None:
            head.ReferencedFrameOfReferenceUID = frame
        outline.ContourSequence = list(contours)
        found.StructureSetROISequence.append(head)
        found.ROIContourSequence.append(outline)
    return found


def write_structure_set(
    path: Path, regions: Sequence[tuple[str, Sequence[Dataset]]], frame: str | None = FRAME
) -> Path:
    """Write a structure set and the folders above it."""
    return save(make_structure_set(regions, frame), path)
