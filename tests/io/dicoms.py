"""Small DICOM files, for tests."""

from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

AXIAL = (1, 0, 0, 0, 1, 0)
CORONAL = (1, 0, 0, 0, 0, -1)
ORIGIN = np.array([-10.0, -20.0, -30.0])


def make_slice(pixels: np.ndarray, name: str, series: str = "1", **elements) -> pydicom.Dataset:
    """Return a CT slice of (H, W) pixels without a position; `elements` replace its own, None leaves one out."""
    found = pydicom.Dataset()
    found.file_meta = FileMetaDataset()
    found.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    found.SOPClassUID = CTImageStorage
    found.SOPInstanceUID = generate_uid(entropy_srcs=[series, name])
    found.SeriesInstanceUID = generate_uid(entropy_srcs=[series])
    found.StudyInstanceUID = generate_uid(entropy_srcs=["study"])
    found.Modality, found.SeriesNumber = "CT", 3
    found.SamplesPerPixel, found.PhotometricInterpretation = 1, "MONOCHROME2"
    found.Rows, found.Columns = pixels.shape[:2]
    found.BitsAllocated = found.BitsStored = pixels.dtype.itemsize * 8
    found.HighBit = found.BitsStored - 1
    found.PixelRepresentation = int(pixels.dtype.kind == "i")
    found.PixelData = pixels.tobytes() + bytes(pixels.nbytes % 2)
    for word, value in elements.items():
        if value is None:
            delattr(found, word)
        else:
            setattr(found, word, value)
    return found


def save(found: pydicom.Dataset, path: Path) -> Path:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    found.save_as(path, enforce_file_format=True)
    return path


def write_series(
    folder: Path, voxels: np.ndarray, spacing=(1.0, 1.0, 2.0), axes=AXIAL, name: str = "IMG{}.dcm", **elements
) -> list[Path]:
    """Write voxels (L, P, S) as axial or coronal slices whose names and numbers run against their positions.

    Returns:
        The files by their positions along the normal.
    """
    across = 2 if axes == AXIAL else 1
    count = voxels.shape[across]
    rising = axes == AXIAL  # the normal of coronal slices, L x -S, is P
    paths = []
    for index in range(count):
        plane = voxels[:, :, index].T if rising else voxels[:, index, ::-1].T
        position = ORIGIN.copy()
        position[across] += index * spacing[across]
        if not rising:
            position[2] += (voxels.shape[2] - 1) * spacing[2]
        own = {
            "ImagePositionPatient": [float(each) for each in position],
            "ImageOrientationPatient": list(axes),
            "PixelSpacing": [spacing[1] if rising else spacing[2], spacing[0]],
            "SliceThickness": spacing[across],
            "FrameOfReferenceUID": generate_uid(entropy_srcs=["frame"]),
            "InstanceNumber": count - index,
        }
        file = folder / name.format(count - index)
        paths.append(save(make_slice(np.ascontiguousarray(plane), file.name, str(folder), **own | elements), file))
    return paths
