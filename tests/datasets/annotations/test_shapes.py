"""Shapes cover the pixels that the tools of their format count, in windows as in the whole."""

from collections.abc import Callable

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from segapp.datasets.annotations.label_studio import Brush
from segapp.datasets.annotations.shapes import (
    Bitmap,
    Outline,
    Polygons,
    Runs,
    Shape,
    Window,
    make_ellipse,
    make_rotated_box,
)
from segapp.datasets.annotations.supervisely import Filled
from segapp.errors import MisuseError

SIZE = Window(0, 0, 40, 50)


def cover(shape: Shape, window: Window = SIZE) -> np.ndarray:
    mask = np.zeros((window.h, window.w), bool)
    seen = shape.bounds.intersect(window)
    if seen.h and seen.w:
        part = mask[seen.y - window.y :, seen.x - window.x :][: seen.h, : seen.w]
        part[:] = shape.cover(seen)
    return mask


def make_star(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.round(rng.uniform(-8, 58, (rng.integers(3, 10), 2)), int(rng.integers(0, 3)))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pycocotools.mask.decode sets the shape of an array
@pytest.mark.parametrize("seed", range(30))
def test_polygons_have_the_pixels_of_pycocotools(seed: int) -> None:
    star = make_star(seed)
    reference = coco_mask.decode(coco_mask.frPyObjects([star.ravel().tolist()], 40, 50))[..., 0]
    assert np.array_equal(cover(Polygons("", ((star,),))), reference)


def test_a_polygon_is_a_union_of_parts_less_their_holes() -> None:
    square = np.array([(2, 2), (8, 2), (8, 8), (2, 8)], float)
    hole, other = square * 0.5 + 2, square + 6
    assert cover(Polygons("", ((square,),))).sum() == 36
    assert cover(Polygons("", ((square, hole),))).sum() == 27
    both = cover(Polygons("", ((square, hole), (other,))))
    assert both.sum() == 27 + 36 and not both[3, 3] and both[13, 13]
    assert not cover(Polygons("", ((np.zeros((2, 2)),),))).any()


@pytest.mark.parametrize(
    "make",
    [
        lambda star: Polygons("", ((star, star * 0.4 + 9),)),
        lambda star: Outline("", "polygon", star),
        lambda star: Outline("", "ellipse", star[:2]),
        lambda star: Runs("", SIZE, coco_mask.encode(np.asfortranarray(NOISE))["counts"]),
        lambda star: Runs("", SIZE, np.array([57, 100, 1843]), by_rows=True),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_a_window_has_the_pixels_of_the_whole(seed: int, make: Callable[[np.ndarray], Shape]) -> None:
    shape = make(make_star(seed))
    rng = np.random.default_rng(seed)
    whole = cover(shape)
    for _ in range(10):
        (y, x), (h, w) = rng.integers(0, 30, 2).tolist(), rng.integers(1, 10, 2).tolist()
        assert np.array_equal(cover(shape, Window(y, x, h, w)), whole[y : y + h, x : x + w])


NOISE = np.random.default_rng(0).integers(0, 2, (40, 50)).astype(np.uint8)


def test_outlines_hold_their_border() -> None:
    corners = np.array([(2.9, 3), (5, 6.2)])
    assert cover(Outline("", "rectangle", corners)).sum() == 4 * 4
    assert cover(Outline("", "polygon", np.array([(2, 3), (5, 3), (5, 6), (2, 6)]))).sum() == 16
    assert cover(Outline("", "ellipse", np.array([(2, 2), (4, 4)]))).sum() in (5, 9)


def test_runs_of_rows_and_of_columns() -> None:
    box = Window(1, 2, 2, 3)  # rows 011, 100
    rows = cover(Runs("", box, np.array([1, 3, 2]), by_rows=True))
    assert np.argwhere(rows).tolist() == [[1, 3], [1, 4], [2, 2]]
    columns = cover(Runs("", box, np.array([1, 3, 2])))
    assert np.argwhere(columns).tolist() == [[1, 3], [2, 2], [2, 3]]
    assert not cover(Runs("", box, np.array([6]))).any()


@pytest.mark.parametrize("counts", [[1, 3], [1, 3, 3], [-1, 7], [2**62, 2**62, -(2**63) + 6], []])
def test_runs_that_do_not_fill_their_box_are_refused(counts: list[int]) -> None:
    with pytest.raises(MisuseError, match="RLE"):
        cover(Runs("", Window(0, 0, 2, 3), np.array(counts, np.int64)))


def test_a_turned_box_and_a_circle() -> None:
    upright = make_rotated_box(10, 10, 8, 4, 90, (14, 12))
    assert cover(Polygons("", ((upright,),))).sum() == 32 and np.ptp(upright[:, 1]) == pytest.approx(8)
    about_corner = make_rotated_box(10, 10, 8, 4, 90, (10, 10))  # clockwise as one sees it: to the left and down
    assert about_corner.min(0) == pytest.approx([6, 10]) and about_corner.max(0) == pytest.approx([10, 18])
    circle = cover(Polygons("", ((make_ellipse((20, 20), (10, 10)),),)))
    assert circle.sum() == pytest.approx(np.pi * 100, rel=0.02)


def test_a_bitmap_of_another_size_is_refused() -> None:
    with pytest.raises(MisuseError, match="PNG"):
        Bitmap("", Window(0, 0, 2, 2), b"nothing").cover(Window(0, 0, 2, 2))


CORNERS = np.array([(0.0, 0.0), (65535.0, 0.0), (65535.0, 65535.0), (0.0, 65535.0)])


@pytest.mark.parametrize(
    "shape", [Outline("a", "polygon", CORNERS), Filled("a", CORNERS), Brush("a", (65536, 65536), b"")], ids=type
)
def test_more_than_fits_into_memory_is_not_drawn(shape: Shape) -> None:
    with pytest.raises(MisuseError, match="PNG"):
        shape.cover(Window(65_000, 65_000, 512, 512))
