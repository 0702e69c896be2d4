"""Contours in the coordinates of the patient: on which slice they lie, and which pixels they cover."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.path import Path as Outline

from segapp.datasets.annotations.contours import Contours, CrossedPolygons, Placement, place_contours
from segapp.datasets.annotations.shapes import Window
from segapp.errors import MisuseError
from segapp.io import FilePart
from segapp.io.structures import SeriesSpace, read_series_space
from tests.io.structure_sets import FRAME, Place

SQUARE = [[1, 1], [4, 1], [4, 4], [1, 4]]


def make_star(generator: np.random.Generator, size: float, points: int = 12) -> np.ndarray:
    """Return a polygon whose outline may cross itself."""
    angles = np.sort(generator.uniform(0, 2 * np.pi, points))
    radii = generator.uniform(0.1, 0.6, points) * size
    return np.stack([np.cos(angles), np.sin(angles)], 1) * radii[:, None] + generator.uniform(0, size, 2)


def cross(rings: list[np.ndarray], height: int, width: int) -> np.ndarray:
    """Return the pixels whose centre is in an odd number of polygons, as matplotlib has it."""
    y, x = np.mgrid[:height, :width] + 0.5
    centres = np.stack([x.ravel(), y.ravel()], 1)
    inside = [Outline(np.vstack([ring, ring[:1]]), closed=True).contains_points(centres) for ring in rings]
    return (np.sum(inside, axis=0) % 2 == 1).reshape(height, width)


@pytest.mark.parametrize("seed", range(8))
def test_pixels_are_those_whose_centre_lies_in_an_odd_number_of_rings(seed: int) -> None:
    generator = np.random.default_rng(seed)
    rings = [make_star(generator, 40) for _ in range(5)]
    shape = CrossedPolygons("liver", tuple((ring,) for ring in rings))
    for window in (Window(0, 0, 40, 50), Window(7, 11, 20, 9)):
        expected = cross(rings, 40, 50)[window.y : window.y + window.h, window.x : window.x + window.w]
        np.testing.assert_array_equal(shape.cover(window), expected)


def test_a_keyhole_is_a_hole() -> None:
    outer, inner = [[0, 0], [8, 0], [8, 8], [0, 8]], [[2, 2], [2, 6], [6, 6], [6, 2]]
    keyhole = np.array([*outer, outer[0], inner[0], *inner[1:], inner[0]], float)
    apart = CrossedPolygons("a", tuple((np.array(ring, float),) for ring in (outer, inner)))
    window = Window(0, 0, 8, 8)
    joined = CrossedPolygons("a", ((keyhole,),)).cover(window)
    np.testing.assert_array_equal(joined, apart.cover(window))
    assert joined.sum() == 64 - 16


def place(tmp_path: Path, contours: list[tuple[object, float]], where: Place | None = None, **fields) -> Placement:
    where = where or Place()
    space = read_space(tmp_path, where)
    parts = tuple((where.find(points, index),) for points, index in contours)
    return place_contours(tmp_path / "rt.dcm", tmp_path, [Contours("liver", parts, **fields)], space)


def read_space(tmp_path: Path, where: Place) -> SeriesSpace:
    return read_series_space(FilePart(where.write_series(tmp_path, np.zeros((7, 6, 8), np.uint8))[0]))


def test_a_contour_is_of_the_slice_within_half_their_distance(tmp_path: Path) -> None:
    found = place(tmp_path, [(SQUARE, 1.4), (SQUARE, 5.7), (SQUARE, -0.4), (SQUARE, 6.7), (SQUARE, -3)])
    assert set(found.slices) == {0, 1, 6} and found.outside == {"liver": 2}
    (shape,) = found.slices[1]
    np.testing.assert_array_equal(shape.parts[0][0], SQUARE)
    assert next(found.describe_left_out(Path("rt.dcm"), Path("ct"))) == (
        "rt.dcm: contours of 'liver' (2) lie on no slice of the series ct and are not painted."
    )


def test_of_finer_contours_those_nearest_to_a_slice_are_shown(tmp_path: Path) -> None:
    other = [[5, 1], [6, 1], [6, 2]]
    found = place(tmp_path, [(SQUARE, 2.4), (SQUARE, 2.1), (other, 2.1), (SQUARE, 1.6)])
    (shape,) = found.slices[2]
    assert len(shape.parts) == 2 and found.between == {"liver": 2}


def test_contours_on_every_other_slice_are_reported(tmp_path: Path) -> None:
    found = place(tmp_path, [(SQUARE, index) for index in (0, 2, 4, 6)])
    assert found.sparse == {"liver": 2} and not found.outside and not found.between
    (message,) = found.describe_left_out(Path("rt.dcm"), Path("ct"))
    assert "contours of 'liver' (every 2 slices) leave out slices of the series ct" in message


def test_contours_across_the_slices_and_far_away_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MisuseError, match="contour 1 of 'liver' does not lie along the slices"):
        upright = Contours("liver", ((np.array([[0.0, 20, 31], [0, 20, 45], [0, 25, 45]]),),))
        place_contours(tmp_path / "rt.dcm", tmp_path, [upright], read_space(tmp_path, Place()))
    with pytest.raises(MisuseError, match="far outside"):
        place(tmp_path, [([[3e6, 0], [3e6, 1], [3e6 + 1, 1]], 0)])


def test_references_decide_before_frames_of_reference(tmp_path: Path) -> None:
    known = frozenset(list(read_space(tmp_path, Place()).instances)[:2])
    assert place(tmp_path, [(SQUARE, 1)], space="1.2.3", instances=known).slices
    assert place(tmp_path, [(SQUARE, 1)], space=FRAME).slices and place(tmp_path, [(SQUARE, 1)]).slices
    with pytest.raises(MisuseError, match=r"frame of reference 1\.2\.3"):
        place(tmp_path, [(SQUARE, 1)], space="1.2.3")
    with pytest.raises(MisuseError, match=r"refer to 1 images .* such as 1\.2\.4"):
        place(tmp_path, [(SQUARE, 1)], space=FRAME, instances=known | {"1.2.4"})
