"""Small volumes as files, for tests."""

from pathlib import Path

import nibabel
import numpy as np
from nibabel.orientations import axcodes2ornt, inv_ornt_aff, io_orientation, ornt_transform

SIZES = (5, 4, 3)
"""Voxels along L, P and S: each axis another number."""


def make_voxels(sizes: tuple[int, ...] = SIZES) -> np.ndarray:
    """(L, P, S) int16 that say where they are: 100 l + 10 p + s."""
    left, back, head = np.indices(sizes)
    return (100 * left + 10 * back + head).astype(np.int16)


def write_nifti(path: Path, voxels: np.ndarray, codes: str = "LPS", spacing=(1.0, 1.0, 1.0), **header) -> Path:
    """Write voxels (L, P, S) as a file whose array has this orientation; `spacing` is in mm along L, P, S."""
    affine = np.diag([-spacing[0], -spacing[1], spacing[2], 1.0])  # RAS
    affine[:3, 3] = 10, 20, -30
    turn = ornt_transform(io_orientation(affine), axcodes2ornt(codes))
    turned = nibabel.orientations.apply_orientation(voxels, turn)
    image = nibabel.Nifti1Image(turned, affine @ inv_ornt_aff(turn, voxels.shape[:3]))
    for name, value in header.items():
        image.header[name] = value
    nibabel.save(image, path)
    return path
