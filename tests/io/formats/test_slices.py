"""Which slice of an array is which, and how it is turned."""

import numpy as np
import pytest

from segapp.io.formats.slices import AXES, Grid, describe_difference
from tests.io.volumes import SIZES, make_voxels

VOXELS = make_voxels()  # 100 l + 10 p + s


def grid(spacing=(1.0, 1.0, 1.0), sizes=SIZES):
    return Grid(np.diag([*spacing, 1.0]), sizes)


def test_slices_are_seen_as_radiologists_see_them():
    """Axial: front above, the patient's right on the left. Coronal and sagittal: the head above."""
    axial, coronal, sagittal = (grid().find_slice(VOXELS, axis, 1) for axis in ("axial", "coronal", "sagittal"))
    assert (
        axial.shape == (4, 5) and axial[0].tolist() == [1, 101, 201, 301, 401] and axial[:, 0].tolist()[:2] == [1, 11]
    )
    assert coronal.shape == (3, 5) and coronal[0].tolist() == [12, 112, 212, 312, 412] and coronal[-1, 0] == 10
    assert sagittal.shape == (3, 4) and sagittal[0].tolist() == [102, 112, 122, 132] and sagittal[-1, 0] == 100


def test_slices_of_a_time_follow_those_of_the_one_before():
    timed = Grid(np.eye(4), SIZES, times=2)
    voxels = np.stack([VOXELS, VOXELS + 1000])
    assert timed.shape == voxels.shape
    for axis in AXES:
        count = grid().count_slices(axis)
        assert timed.count_slices(axis) == 2 * count
        np.testing.assert_array_equal(
            timed.find_slice(voxels, axis, count + 1), grid().find_slice(VOXELS, axis, 1) + 1000
        )


@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, -1)])
def test_a_slice_is_located_on_the_arrays_axis(signs):
    placed = Grid(np.diag([*signs, 1.0])[[2, 0, 1, 3]], SIZES)  # the array's axes are P, S and L
    for axis in AXES:
        across, place = placed.locate_slice(axis, 1)
        assert across == {"sagittal": 2, "coronal": 0, "axial": 1}[axis]
        assert set(np.take(VOXELS, place, across).ravel()) == set(placed.find_slice(VOXELS, axis, 1).ravel())


@pytest.mark.parametrize(
    ("spacing", "sizes", "axis"),
    [
        ((1, 1, 3), SIZES, "axial"),
        ((1, 3, 1), SIZES, "coronal"),
        ((3, 1, 1), SIZES, "sagittal"),
        ((1, 1, 1), SIZES, "axial"),
        ((1, 1.0005, 1), SIZES, "axial"),
        ((3, 3, 1), SIZES, "coronal"),
        ((1, 1, 3), (5, 1, 3), "coronal"),
    ],
)
def test_slices_are_cut_across_the_largest_spacing(spacing, sizes, axis):
    assert grid(spacing, sizes).choose_axis("auto") == axis
    assert grid(spacing, sizes).choose_axis("sagittal") == "sagittal"


def test_an_oblique_grid_has_the_nearest_axes():
    angle = np.deg2rad(30)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([2, -3, 4])
    found = Grid(affine, SIZES)
    assert found.order == (0, 1, 2) and found.flips == (False, True, False)
    np.testing.assert_allclose(found.spacing, (2, 3, 4))
    assert found.get_pixel_size("axial") == pytest.approx((3000, 2000))


@pytest.mark.parametrize("axis", AXES)
def test_a_slice_is_a_view_that_can_be_written_to(axis):
    voxels = np.zeros(SIZES, np.uint8)
    for index in range(grid().count_slices(axis)):
        grid().find_slice(voxels, axis, index)[...] = index + 1
    assert voxels.all() and len(np.unique(voxels)) == grid().count_slices(axis)


def test_grids_that_pair_other_voxels_differ():
    turned = np.diag([-1.0, 1.0, 1.0, 1.0])
    same, shifted = turned.copy(), turned.copy()
    same[0, 3], shifted[0, 3] = SIZES[0] - 1, 40
    assert describe_difference(grid(), grid()) is None
    assert describe_difference(grid(), grid((2, 2, 2))) is None  # the same array: its geometry is only noted otherwise
    assert describe_difference(grid(), Grid(same, SIZES)) is None  # the same voxels, stored the other way round
    assert "mm apart" in describe_difference(grid(), Grid(shifted, SIZES))
    assert "5 x 4 x 4" in describe_difference(grid(), grid(sizes=(5, 4, 4)))
