"""DICOM segmentations as `predict` writes them."""

import numpy as np

from segapp.io import FilePart, Image, MaskLayout, list_slices, open_mask, read_header, read_raw
from tests.io.volumes import make_voxels

VOXELS = make_voxels((7, 5, 4))
CLASSES = ("background", "liver", "spleen")
PALETTE = ((0, 0, 0), (255, 0, 0), (0, 0, 255))
MASK = np.random.default_rng(0).integers(0, 3, VOXELS.shape).astype(np.uint8)


def write_seg(path, image, mask=MASK, axis="axial", classes=CLASSES, background=0):
    """Write a mask (L, P, S), slice by slice as `predict` does."""
    parts = list_slices(image, axis)
    layout = MaskLayout(
        {part.part: read_header(part).upright for part in parts}, Image(parts[0]).meta, PALETTE, classes, background
    )
    planes = mask.transpose(2, 1, 0) if axis == "axial" else mask[:, :, ::-1].transpose(1, 2, 0)
    with open_mask(path, layout) as writer:
        for part, plane in zip(parts, planes, strict=True):
            writer.add(plane, part.part)
    return path


def read_seg(path, image):
    return np.stack([read_raw(FilePart(path, part.part, reference=image)) for part in list_slices(image, "axial")]).T
