"""Masks painted from contours are those of an independent rasterisation, in series of any orientation."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from segapp.datasets.annotations.contour_mask import ContourMask, SeriesPainter
from segapp.datasets.annotations.contours import Contours
from segapp.datasets.annotations.entry import Entry
from segapp.errors import MisuseError
from segapp.io import list_parts, list_slices
from tests.datasets.annotations.test_contours import cross, make_star
from tests.io.structure_sets import OBLIQUE, SAGITTAL, Place
from tests.io.test_structures import AXES

INDICES = {"liver": 1, "spleen": 2, "couch": None}


def make_painter(folder: Path, place: Place, rings: dict[str, dict[int, list[np.ndarray]]], size=(7, 31, 42)):
    """Return the painter of a series on which polygons in pixels of stored slices are drawn."""
    paths = place.write_series(folder, np.zeros(size, np.uint8))
    shapes = tuple(
        Contours(name, tuple((place.find(ring, index),) for index, own in slices.items() for ring in own))
        for name, slices in rings.items()
    )
    return SeriesPainter(list_parts(paths[0])[0], folder / "rt.dcm", Entry("", shapes), INDICES, 0)


def draw_voxels(rings: dict[str, dict[int, list[np.ndarray]]], size=(7, 31, 42)) -> np.ndarray:
    voxels = np.zeros(size, np.uint8)
    for name, slices in rings.items():
        for index, own in slices.items():
            if INDICES[name] is not None:
                voxels[index][cross(own, *size[1:])] = INDICES[name]
    return voxels


@pytest.mark.parametrize("axis", ["axial", "coronal", "sagittal"])
@pytest.mark.parametrize("name", AXES)
def test_pixels_are_those_of_matplotlib_in_every_orientation(tmp_path: Path, name: str, axis) -> None:
    generator = np.random.default_rng(3)
    rings = {
        label: {index: [make_star(generator, 35) for _ in range(3)] for index in range(first, 7)}
        for first, label in enumerate(("liver", "spleen", "couch"))
    }
    place = Place(AXES[name])
    painter = make_painter(tmp_path, place, rings)
    expected = painter.space.shown
    voxels = draw_voxels(rings)
    assert {1, 2} <= set(np.unique(voxels))
    for index, part in enumerate(list_slices(painter.image, axis)):
        mask = ContourMask(part, painter)
        slice_ = expected.find_slice(voxels.transpose(2, 1, 0), axis, index)
        assert mask.shape == slice_.shape
        np.testing.assert_array_equal(mask.read(), slice_)
        np.testing.assert_array_equal(mask.read_window(2, 1, 3, 4), slice_[2:5, 1:5])


@pytest.mark.parametrize("axes", [OBLIQUE, SAGITTAL], ids=["oblique", "sagittal"])
def test_overlaps_are_counted_of_stored_and_of_cut_slices(tmp_path: Path, axes) -> None:
    rings = {
        "liver": {2: [np.array([[0, 0], [6, 0], [6, 6], [0, 6.0]])]},
        "spleen": {2: [np.array([[4, 2], [9, 2], [9, 4], [4, 4.0]])]},
    }
    painter = make_painter(tmp_path, Place(axes), rings)
    for axis in ("axial", "coronal", "sagittal"):
        counts = [ContourMask(part, painter).count_overlaps() for part in list_slices(painter.image, axis)]
        assert sum(counts) == 4


def test_a_mask_reaches_worker_processes(tmp_path: Path) -> None:
    painter = make_painter(tmp_path, Place(), {"liver": {2: [np.array([[0, 0], [6, 0], [6, 6.0]])]}})
    masks = [ContourMask(part, painter) for part in list_slices(painter.image, "axial")]
    first = [mask.read() for mask in masks]
    for mask, known in zip(pickle.loads(pickle.dumps(masks)), first, strict=True):
        np.testing.assert_array_equal(mask.read(), known)


def test_regions_beside_the_series_are_reported(tmp_path: Path) -> None:
    painter = make_painter(tmp_path, Place(), {"liver": {20: [np.array([[0, 0], [6, 0], [6, 6.0]])]}})
    with pytest.raises(MisuseError, match="none of its 1 regions lies on a slice"):
        painter.paint(0)
