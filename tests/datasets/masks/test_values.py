"""Stored values become class indices."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from segapp.datasets import Indices
from segapp.errors import MisuseError
from tests.datasets.look_alikes import save, save_palette
from tests.datasets.masks.common import mask, saved


@pytest.mark.parametrize(
    ("values", "stored", "expected"),
    [
        (None, [[0, 1, 2, 255]], [[0, 1, 2, 255]]),
        ({11: 255}, [[0, 2, 11, 255]], [[0, 2, 255, 255]]),
        ({0: 0, 128: 1, 255: 2}, [[0, 128, 255]], [[0, 1, 2]]),
        ({7: 1, 9: 1}, [[0, 7, 9, 2]], [[0, 1, 1, 2]]),
    ],
)
def test_indices_map_stored_values(
    tmp_path: Path, values: dict[int, int] | None, stored: list[list[int]], expected: list[list[int]]
) -> None:
    read = mask(Indices(values), saved(tmp_path / "m.png", stored), classes=("x", "y", "z")).read()
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, expected)


def test_a_listed_class_is_not_reached_by_its_own_number(tmp_path: Path) -> None:
    with pytest.raises(MisuseError, match="1 pixels hold 1, which is no class"):
        mask(Indices({0: 0, 255: 1}), saved(tmp_path / "m.png", [[0, 1, 255]])).read()


def test_palette_16_bit_and_float_masks(tmp_path: Path) -> None:
    indices = np.array([[0, 1], [2, 0]], np.uint8)
    save_palette(tmp_path / "p.png", indices)
    tifffile.imwrite(tmp_path / "w.tif", indices.astype(np.uint16))
    tifffile.imwrite(tmp_path / "f.tif", indices.astype(np.float32))
    save(tmp_path / "rgb.png", np.repeat(indices[..., None], 3, axis=2))
    for name in ("p.png", "w.tif", "f.tif", "rgb.png"):
        read = mask(Indices(), tmp_path / name, classes=("x", "y", "z")).read()
        np.testing.assert_array_equal(read, indices, err_msg=name)


@pytest.mark.parametrize("stored", [[[0, 255]], [[255, 255]]])
def test_a_0_255_mask_of_two_classes_is_ambiguous(tmp_path: Path, stored: list[list[int]]) -> None:
    path = saved(tmp_path / "m.png", stored)
    with pytest.raises(MisuseError, match=r"\{0: 0, 255: 1\}.*\{0: 0, 1: 1, 255: 255\}") as caught:
        mask(Indices(), path).read()
    assert str(path) in str(caught.value)
    np.testing.assert_array_equal(mask(Indices({0: 0, 255: 1}), path).read(), np.array(stored) // 255)
    np.testing.assert_array_equal(mask(Indices({0: 0, 1: 1, 255: 255}), path).read(), stored)


def test_ambiguity_is_judged_by_the_whole_mask_not_a_window(tmp_path: Path) -> None:
    clear = mask(Indices(), saved(tmp_path / "clear.png", [[0, 255, 1]]))
    np.testing.assert_array_equal(clear.read_window(0, 0, 1, 2), [[0, 255]])
    with pytest.raises(MisuseError, match="may mean"):
        mask(Indices(), saved(tmp_path / "doubt.png", [[0, 255, 0]])).read_window(0, 0, 1, 2)


@pytest.mark.parametrize(
    ("name", "values", "sentence"),
    [
        ("m.png", [[0, 128]], r"1 pixels hold 128, which is no class \(known: 0, 1, 255; .*looks like a 0/128"),
        ("m.png", [[0, 1, 2, 3]], r"2 pixels hold 2, 3, which are no class.*Add the missing classes"),
        ("m.png", [list(range(0, 250, 5))], "smoothing.*Instances"),
        ("m.jpg", [[0, 90, 180, 250]], "JPEG"),
    ],
)
def test_values_outside_the_classes(tmp_path: Path, name: str, values: list[list[int]], sentence: str) -> None:
    path = saved(tmp_path / name, values)
    with pytest.raises(MisuseError, match=sentence) as caught:
        mask(Indices(), path).read()
    assert str(path) in str(caught.value)


def test_a_colour_mask_and_fractions_are_no_indices(tmp_path: Path) -> None:
    saved(tmp_path / "rgb.png", [[[255, 0, 0], [0, 0, 0]]])  # type: ignore[list-item]
    with pytest.raises(MisuseError, match=r"2 colours \(\(0, 0, 0\), \(255, 0, 0\)\).*Colours"):
        mask(Indices(), tmp_path / "rgb.png").read()
    tifffile.imwrite(tmp_path / "f.tif", np.array([[0, 0.5]], np.float32))
    with pytest.raises(MisuseError, match=r"fractions such as 0\.5"):
        mask(Indices(), tmp_path / "f.tif").read()


def test_a_map_to_no_class_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MisuseError, match="map 255 to 2, which is neither"):
        mask(Indices({255: 2}), saved(tmp_path / "m.png", [[0]])).read()
