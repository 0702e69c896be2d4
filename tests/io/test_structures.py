"""Where positions in the patient lie among the slices of a series."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from segapp.errors import SegappError
from segapp.io import FilePart, list_slices, read_raw
from segapp.io.structures import read_series_space, recognise_structure_set
from tests.datasets.look_alikes import save as save_image
from tests.io.dicoms import make_slice, save
from tests.io.structure_sets import FRAME, OBLIQUE, SAGITTAL, Place, write_structure_set

PLANES = np.random.default_rng(0).integers(0, 255, (4, 6, 9)).astype(np.uint8)
AXES = {"axial": (1, 0, 0, 0, 1, 0), "turned": (-1, 0, 0, 0, -1, 0), "oblique": OBLIQUE, "sagittal": SAGITTAL}


@pytest.mark.parametrize("name", AXES)
def test_positions_are_those_of_another_program(tmp_path: Path, name: str) -> None:
    paths = Place(AXES[name]).write_series(tmp_path, PLANES)
    image = SimpleITK.ReadImage([str(path) for path in paths])
    space = read_series_space(FilePart(paths[1]))
    voxels = np.random.default_rng(0).uniform((-3, -3, -1), (12, 9, 5), (20, 3))
    points = np.array([image.TransformContinuousIndexToPhysicalPoint(each.tolist()) for each in voxels])
    np.testing.assert_allclose(space.find_voxels(points), voxels, atol=1e-5)
    assert (space.count, space.plane, space.frame_of_reference) == (4, (6, 9), FRAME) and len(space.instances) == 4


@pytest.mark.parametrize("axis", ["axial", "coronal", "sagittal"])
@pytest.mark.parametrize("name", AXES)
def test_images_are_cut_from_stored_slices_as_the_pixels_are(tmp_path: Path, name: str, axis) -> None:
    paths = Place(AXES[name]).write_series(tmp_path, PLANES)
    space = read_series_space(FilePart(paths[0]))

    def read_planes(place: int | None) -> np.ndarray:
        return PLANES if place is None else PLANES[place : place + 1]

    slices = list_slices(paths[0], axis)
    for part in slices:
        np.testing.assert_array_equal(space.cut_image(part.part, read_planes), read_raw(part))
    stored = {space.find_slice(part.part) for part in slices}
    assert stored == {0, 1, 2, 3} or stored == {None}


def test_a_single_image_has_a_place_too(tmp_path: Path) -> None:
    (path,) = Place(SAGITTAL).write_series(tmp_path, PLANES[:1], SliceThickness=3)
    space = read_series_space(FilePart(path))
    np.testing.assert_allclose(space.find_voxels(Place(SAGITTAL).find([[2.5, 1.5]], 0)), [[2, 1, 0]], atol=1e-6)
    np.testing.assert_array_equal(space.cut_image("", lambda place: PLANES[place : place + 1]), read_raw(path))


def test_images_without_a_place_are_reported(tmp_path: Path) -> None:
    png = tmp_path / "a.png"
    save_image(png, PLANES[0])
    bare = save(make_slice(PLANES[0], "a"), tmp_path / "a.dcm")
    for path, message in ((png, "not a series of DICOM"), (bare, "no positions")):
        with pytest.raises(SegappError, match=message):
            read_series_space(FilePart(path))


def test_structure_sets_are_recognised(tmp_path: Path) -> None:
    assert recognise_structure_set(write_structure_set(tmp_path / "rt.dcm", []))
    assert not recognise_structure_set(save(make_slice(PLANES[0], "a"), tmp_path / "a.dcm"))
    (tmp_path / "b.dcm").write_bytes(b"no DICOM")
    assert not recognise_structure_set(tmp_path / "b.dcm") and not recognise_structure_set(tmp_path)
