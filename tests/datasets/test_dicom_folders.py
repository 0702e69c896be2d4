"""Folders of DICOM series: each is a volume, its mask a file beside it or a segmentation."""

import numpy as np
import pytest

from segapp.datasets import Folder, Fraction
from segapp.io import Image, MaskLayout, list_slices, open_mask, read_header
from segapp.spec import Intensity
from tests.io.dicoms import write_series
from tests.io.volumes import make_voxels, write_nifti

VOXELS = make_voxels((5, 4, 3))
MASK = (VOXELS > 200).astype(np.uint8)
CLASSES = ("background", "object")


def write_seg(path, image, mask):
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = list_slices(image, "axial")
    sizes = {part.part: read_header(part).upright for part in parts}
    layout = MaskLayout(sizes, Image(parts[0]).meta, ((0, 0, 0), (9, 9, 9)), CLASSES, 0)
    with open_mask(path, layout) as writer:
        for part, plane in zip(parts, mask.transpose(2, 1, 0), strict=True):
            writer.add(plane, part.part)


def check(folder, names=("p1", "p2")):
    assert list(folder.problems()) == []
    items = folder.select(folder.item_names())
    assert [item.name for item in items] == [f"{name}/axial={index}" for name in names for index in range(3)]
    assert [item.group for item in items] == [name for name in names for _ in range(3)]
    for index, item in enumerate(items[:3]):
        np.testing.assert_allclose(item.image.read()[..., 0], VOXELS[:, :, index].T / 1000, atol=1e-6)
        np.testing.assert_array_equal(item.mask.read(), MASK[:, :, index].T)


LAYOUTS = {
    "nifti": ("images/{}", "masks/{}.nii.gz", "images", "masks"),
    "seg": ("images/{}", "masks/{}.dcm", "images", "masks"),
    "seg-in-folder": ("images/{}", "masks/{}/x.dcm", "images", "masks/{name}/*.dcm"),
    "beside": ("{}/ct", "{}/seg.dcm", "{name}/ct", "{name}/seg.dcm"),
    "files": ("images/{}/ct", "masks/{}.nii.gz", "images/{name}/ct/*", "masks/{name}.nii.gz"),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts(tmp_path, name):
    place, target, images, masks = LAYOUTS[name]
    for patient in ("p1", "p2"):
        paths = write_series(tmp_path / place.format(patient), VOXELS, name="IM{}")
        mask = tmp_path / target.format(patient)
        mask.parent.mkdir(parents=True, exist_ok=True)
        if mask.suffix == ".dcm":
            write_seg(mask, paths[1], MASK)
        else:
            write_nifti(mask, MASK, "RAS", (1.0, 1.0, 2.0))
    folder = Folder(tmp_path, CLASSES, images, masks, intensity=Intensity("range", 0, 1000), split=Fraction(0.5))
    names = ("p1/ct", "p2/ct") if place.endswith("ct") else ("p1", "p2")
    if name == "nifti":  # the origin of `write_nifti` is another
        items = folder.select(folder.item_names())
        assert len(items) == 6 and [item.group for item in items] == ["p1"] * 3 + ["p2"] * 3
        return
    check(folder, names)
    for split in ("train", "val"):
        assert len({item.group for item in folder.items(split)}) == 1


def test_a_series_of_no_volume_is_a_problem_of_its_file(tmp_path):
    for patient in ("p1", "p2"):
        paths = write_series(tmp_path / "images" / patient, VOXELS)
        write_seg(tmp_path / "masks" / f"{patient}.dcm", paths[0], MASK)
    paths[1].write_bytes(paths[1].read_bytes()[:-9])
    problems = list(Folder(tmp_path, CLASSES, split=Fraction(0.5)).problems())
    assert any("IMG2.dcm" in problem.message and "truncated" in problem.message for problem in problems)
