"""Palettes that disagree with the classes are refused."""

from pathlib import Path

import numpy as np
import pytest

from segapp.datasets import Indices, Instances, PerClass
from segapp.datasets.masks.encoding import Labels
from segapp.datasets.masks.palettes import Palettes
from segapp.errors import MisuseError
from tests.datasets.masks.coloured import TRUTH, read, save_with_palette


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_indices_refuse_a_palette_that_paints_them_the_other_way_round(tmp_path: Path, suffix: str) -> None:
    swapped = save_with_palette(tmp_path / f"m{suffix}", [(255, 0, 0), (0, 0, 0)])
    with pytest.raises(MisuseError, match=r"Colours.*\{1: 1\}"):
        read(Indices(), swapped)
    np.testing.assert_array_equal(read(Indices({1: 1}), swapped), 1 - TRUTH)  # the user says so
    straight = save_with_palette(tmp_path / f"n{suffix}", [(0, 0, 0), (255, 0, 0)])
    np.testing.assert_array_equal(read(Indices(), straight), TRUTH)


def test_indices_refuse_palettes_that_differ(tmp_path: Path) -> None:
    encoding = Indices({0: 0, 1: 1})
    read(encoding, save_with_palette(tmp_path / "a.png", [(0, 0, 0), (255, 0, 0)]))
    other = save_with_palette(tmp_path / "b.png", [(255, 0, 0), (0, 0, 0)])
    with pytest.raises(MisuseError, match=r"b\.png: .*palette .* that of .*a\.png"):
        read(encoding, other)


def test_objects_refuse_a_palette_that_paints_nothing_in_colour(tmp_path: Path) -> None:
    swapped = save_with_palette(tmp_path / "m.png", [(255, 0, 0), (0, 0, 0)])
    straight = save_with_palette(tmp_path / "a.png", [(0, 0, 0), (255, 0, 0)])
    for encoding in (Instances(), PerClass()):
        with pytest.raises(MisuseError, match="grey mask"):
            read(encoding, swapped)
    np.testing.assert_array_equal(read(Instances(), straight), TRUTH)


def make_palette(*colours: tuple[int, int, int]) -> np.ndarray:
    palette = np.zeros((256, 3), np.uint8)
    palette[: len(colours)] = colours
    return palette


def test_colours_of_indices_that_no_pixel_has_do_not_matter() -> None:
    palettes, labels = Palettes(), Labels(("background", "a"), 0)
    palettes.check(
        Path("a.png"), np.array([[0, 1]], np.uint8), make_palette((0, 0, 0), (9, 9, 9), (1, 1, 1)), labels, ()
    )
    palettes.check(
        Path("b.png"), np.array([[0, 1]], np.uint8), make_palette((0, 0, 0), (9, 9, 9), (2, 2, 2)), labels, ()
    )
    with pytest.raises(MisuseError, match=r"b\.png.*a\.png"):
        other = make_palette((0, 0, 0), (8, 8, 8))
        palettes.check(Path("b.png"), np.array([[0, 1]], np.uint8), other, labels, ())


def test_black_that_is_ignored_is_not_taken_for_an_exchanged_background() -> None:
    palette = make_palette((200, 0, 0), (9, 9, 9))  # 255 is black
    Palettes().check(Path("a.png"), np.array([[0, 1, 255]], np.uint8), palette, Labels(("background", "a"), 0), ())
