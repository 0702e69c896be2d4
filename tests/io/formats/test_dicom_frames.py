"""Slices are stacked by their positions; those of no volume are refused."""

import re

import numpy as np
import pydicom
import pytest

from segapp.errors import SegappError
from segapp.io import list_parts, read_header
from tests.io.dicoms import ORIGIN, save, write_series

VOXELS = np.zeros((5, 4, 4), np.int16)


def change(path, **elements):
    found = pydicom.dcmread(path)
    for word, value in elements.items():
        setattr(found, word, value)
    save(found, path)


def test_the_affine_is_that_of_positions_and_not_of_thickness(tmp_path):
    paths = write_series(tmp_path, VOXELS, (0.5, 0.75, 2.0), SliceThickness=9)
    affine = read_header(list_parts(paths[0])[0]).meta["volume"].grid.affine
    expected = np.diag([0.5, 0.75, 2.0, 1.0])
    expected[:3, 3] = ORIGIN
    np.testing.assert_allclose(affine, expected)


def test_a_tilted_gantry_shears_the_volume(tmp_path):
    paths = write_series(tmp_path, VOXELS)
    for index, path in enumerate(paths):
        change(path, ImagePositionPatient=[0, 0.5 * index, 2.0 * index])
    affine = read_header(list_parts(paths[0])[0]).meta["volume"].grid.affine
    np.testing.assert_allclose(affine[:3, 2], [0, 0.5, 2])


PROBLEMS = {
    "missing": (lambda paths: paths[1].unlink(), "2 mm apart but 4 mm"),
    "doubled": (lambda paths: change(paths[1], ImagePositionPatient=list(ORIGIN)), "one position"),
    "orientation": (lambda paths: change(paths[1], ImageOrientationPatient=[0, 1, 0, 0, 0, -1]), "orientations"),
    "spacing": (lambda paths: change(paths[1], PixelSpacing=[2, 2]), "pixel spacings"),
    "size": (lambda paths: change(paths[1], Rows=2, PixelData=bytes(20)), "several sizes"),
    "sideways": (lambda paths: change(paths[1], ImagePositionPatient=[0, 0, ORIGIN[2] + 2]), "one line"),
    "no-direction": (lambda paths: [change(path, ImageOrientationPatient=[0] * 6) for path in paths], "directions"),
    "numbers": (lambda paths: change(paths[1], PixelSpacing=[1]), "2 numbers"),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_slices_of_no_volume_are_reported_in_one_sentence(tmp_path, name):
    problem, found = PROBLEMS[name]
    paths = write_series(tmp_path, VOXELS)
    problem(paths)
    with pytest.raises(SegappError, match=found) as error:
        list_parts(paths[0])
    assert "\n" not in str(error.value) and re.search(r"IMG\d\.dcm", str(error.value))
