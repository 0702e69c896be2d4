"""Masks painted from shapes: order, holes, sizes and limits."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from segapp.datasets.annotations import entry
from segapp.datasets.annotations.entry import AnnotatedMask, Entry
from segapp.datasets.annotations.shapes import Outline, Polygons, Runs, Shape, Window
from segapp.errors import MisuseError
from segapp.io import FilePart
from segapp.spec import Resolution
from tests.datasets.annotations.samples import draw, write_image
from tests.io.slides import make_levels, write_pyramid

INDICES = {"cat": 1, "dog": 2, "void": 255, "none": None}


def square(label: str, left: float, top: float, side: float = 3, crowd: bool = False) -> Polygons:
    corners = [(left, top), (left + side, top), (left + side, top + side), (left, top + side)]
    return Polygons(label, ((np.array(corners, float),),), crowd)


def make(tmp_path: Path, *shapes: Shape, **settings: object) -> AnnotatedMask:
    image = write_image(tmp_path)
    return AnnotatedMask(image, Path("a.json"), Entry("a.png", shapes, **settings), INDICES, 0)  # type: ignore[arg-type]


def test_later_shapes_are_above_earlier_ones(tmp_path: Path) -> None:
    mask = make(
        tmp_path, square("cat", 0, 0), square("dog", 2, 1), square("none", 0, 0), square("dog", 6, 4, crowd=True)
    )
    expected = draw("11100000 11222000 11222000 00222000 000000EE 000000EE".replace("E", "9"))
    assert np.where(mask.read() == 255, 9, mask.read()).tolist() == expected
    assert mask.shape == (6, 8)
    assert np.array_equal(mask.read_window(1, 2, 3, 4), mask.read()[1:4, 2:6])
    assert np.array_equal(mask.paint(Window(1, 2, 3, 4)), mask.read()[1:4, 2:6])


def test_a_read_mask_may_be_written_to(tmp_path: Path) -> None:
    mask = make(tmp_path, square("cat", 0, 0))
    mask.read()[:] = 7
    assert mask.read().max() == 1


def test_fractions_are_of_the_image(tmp_path: Path) -> None:
    assert (make(tmp_path, square("cat", 0, 0, 0.5), relative=True).read() == 1).sum() == 3 * 4


def test_another_size_is_refused_with_both(tmp_path: Path) -> None:
    with pytest.raises(MisuseError, match=r"7 x 8 pixels .* 6 x 8"):
        make(tmp_path, size=(7, 8)).read()


def test_an_image_that_exif_turns(tmp_path: Path) -> None:
    image = tmp_path / "turned.jpg"
    exif = PillowImage.Exif()
    exif[0x0112] = 6
    PillowImage.new("L", (8, 6)).save(image, exif=exif)
    shapes = (square("cat", 0, 5),)
    turned = AnnotatedMask(image, Path("a.json"), Entry("", shapes, (8, 6)), INDICES, 0)
    assert turned.read().shape == (8, 6) and (turned.read() == 1).sum() == 9
    stored = AnnotatedMask(image, Path("a.json"), Entry("", shapes, (6, 8)), INDICES, 0)
    with pytest.raises(MisuseError, match="EXIF"):
        stored.read()


@pytest.mark.parametrize(
    ("shape", "found"),
    [
        (square("bird", 0, 0), "bird"),
        (Runs("cat", Window(4, 0, 3, 2), np.array([0, 6])), "not inside the image of 6 x 8"),
        (Runs("cat", Window(0, 0, 6, 8), np.array([5, 6])), "add up to 11 pixels, not 48"),
        (Polygons("cat", ((np.tile([(0.0, 0.0), (2e6, 2e6)], (2, 1)),),)), "an outline of"),
        (Outline("cat", "polygon", np.tile([(0.0, 0.0), (2e6, 2e6)], (2, 1))), "an outline of"),
    ],
)
def test_shapes_that_cannot_be_painted_name_file_and_image(tmp_path: Path, shape: Shape, found: str) -> None:
    with pytest.raises(MisuseError, match=r"a\.json.*") as error:
        make(tmp_path, shape).read()
    assert found in str(error.value)


def test_far_too_many_shapes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry, "MAX_PAINTED", entry.MAX_PAINTED // 50)
    outline = np.tile([(0.0, 0.0), (5e5, 5e5)], (2, 1))
    with pytest.raises(MisuseError, match="takes minutes"):
        make(tmp_path, *[Polygons("cat", ((outline,),))] * 4).read()


def test_pixels_in_shapes_of_several_classes_are_counted(tmp_path: Path) -> None:
    shapes = [square("cat", 0, 0), square("cat", 1, 0), square("none", 0, 0), square("void", 0, 0)]
    assert make(tmp_path, *shapes).count_overlaps() == 0
    assert make(tmp_path, *shapes, square("dog", 2, 1), square("cat", 2, 1, 1)).count_overlaps() == 4


def open_slide(tmp_path: Path, *shapes: Shape, size: tuple[int, int] | None = None) -> AnnotatedMask:
    """Return the mask, at level 1, of a slide of 64 x 96 pixels whose levels are halves."""
    write_pyramid(tmp_path / "a.tif", make_levels(np.zeros((64, 96, 3), np.uint8), [1, 2]))
    image = FilePart(tmp_path / "a.tif", resolution=Resolution(level=1))
    return AnnotatedMask(image, Path("a.json"), Entry("", shapes, size), INDICES, 0)


def test_polygons_on_a_slide_are_scaled_to_the_level_that_is_read(tmp_path: Path) -> None:
    mask = open_slide(tmp_path, square("cat", 10, 20, 8), size=(64, 96))
    assert mask.shape == (32, 48)
    expected = np.zeros((32, 48), np.uint8)
    expected[10:14, 5:9] = 1
    np.testing.assert_array_equal(mask.read(), expected)
    np.testing.assert_array_equal(mask.paint(Window(9, 4, 3, 3)), expected[9:12, 4:7])


def test_masks_of_whole_pixels_are_not_scaled(tmp_path: Path) -> None:
    with pytest.raises(MisuseError, match=r"a\.json: the class 'dog' is a mask .* only polygons are scaled"):
        open_slide(tmp_path, square("cat", 1, 1), Outline("dog", "polygon", np.ones((3, 2)))).read()
