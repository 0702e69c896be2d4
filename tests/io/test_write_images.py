"""Images and masks come back exactly as written, in the colours asked for."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile

from segapp.errors import SegappError
from segapp.io import read_header, read_raw, write_image, write_mask

PALETTE = ((0, 0, 0), (255, 0, 0), (0, 0, 255))


INDICES = np.random.default_rng(0).integers(0, 3, (37, 50), np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff", ".TIF"])
def test_a_mask_comes_back_as_written(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "new" / "folder" / f"a{suffix}"
    write_mask(path, INDICES, PALETTE)
    np.testing.assert_array_equal(read_raw(path), INDICES)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_mask_has_exactly_the_palette(tmp_path: Path) -> None:
    write_mask(tmp_path / "a.png", INDICES, PALETTE)
    with PIL.Image.open(tmp_path / "a.png") as file:
        assert file.mode == "P"
        assert file.getpalette("RGB") == [value for colour in PALETTE for value in colour]
        np.testing.assert_array_equal(np.asarray(file.convert("RGB")), np.array(PALETTE, np.uint8)[INDICES])


@pytest.mark.parametrize("classes", [2, 3, 5, 17, 254, 255])
def test_any_number_of_classes_survives(tmp_path: Path, classes: int) -> None:
    indices = np.arange(classes, dtype=np.uint8).reshape(1, -1)
    write_mask(tmp_path / "a.png", indices, [(i, 255 - i, 7) for i in range(classes)])
    np.testing.assert_array_equal(read_raw(tmp_path / "a.png"), indices)


def test_ignored_pixels_survive(tmp_path: Path) -> None:
    indices = INDICES.copy()
    indices[:5] = 255
    for name in ("a.png", "a.tif"):
        write_mask(tmp_path / name, indices, PALETTE)
        np.testing.assert_array_equal(read_raw(tmp_path / name), indices)


def test_a_tiff_mask_is_compressed(tmp_path: Path) -> None:
    write_mask(tmp_path / "a.tif", np.zeros((500, 500), np.uint8), PALETTE)
    assert (tmp_path / "a.tif").stat().st_size < 5000
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.pages[0].dtype == np.uint8


def test_a_tiff_mask_shows_its_classes_colours_and_holds_their_indices(tmp_path: Path) -> None:
    write_mask(tmp_path / "a.tif", INDICES, PALETTE)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), INDICES)
    with PIL.Image.open(tmp_path / "a.tif") as file:
        assert file.mode == "P"
        np.testing.assert_array_equal(np.asarray(file), INDICES)
        np.testing.assert_array_equal(np.asarray(file.convert("RGB")), np.array(PALETTE, np.uint8)[INDICES])


@pytest.mark.parametrize(
    ("indices", "words"),
    [
        (np.full((3, 3), 3, np.uint8), r"the mask holds \[3\], but the palette has 3 colours"),
        (np.zeros((3, 3), np.int64), "int64"),
        (np.zeros((3, 3, 1), np.uint8), r"\(3, 3, 1\)"),
    ],
)
def test_a_mask_that_is_none_is_refused(tmp_path: Path, indices: np.ndarray, words: str) -> None:
    with pytest.raises(SegappError, match=words):
        write_mask(tmp_path / "a.png", indices, PALETTE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
@pytest.mark.parametrize("shape", [(37, 50), (37, 50, 3)])
def test_an_image_comes_back_as_written(tmp_path: Path, suffix: str, shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    write_image(tmp_path / f"a{suffix}", pixels)
    np.testing.assert_array_equal(read_raw(tmp_path / f"a{suffix}"), pixels)


def test_a_format_that_cannot_hold_it_is_refused_with_those_that_can(tmp_path: Path) -> None:
    for suffix in (".jpg", ".webp", ".gif"):
        with pytest.raises(SegappError, match=rf"a\{suffix}: .*\.png"):
            write_mask(tmp_path / f"a{suffix}", INDICES, PALETTE)
    for suffix in (".jp2", ".webp", ".gif", ".txt", ""):
        with pytest.raises(SegappError, match=rf"a{suffix}: "):
            write_image(tmp_path / f"a{suffix}", INDICES)
    assert list(tmp_path.iterdir()) == []


def test_values_without_colours_are_written_in_grey(tmp_path: Path) -> None:
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    for name in ("a.png", "a.tif"):
        write_mask(tmp_path / name, values, None, {"resolution": (10.0, 20.0, "centimeter")})
        with PIL.Image.open(tmp_path / name) as file:
            assert file.mode == "L"
        np.testing.assert_array_equal(read_raw(tmp_path / name), values)
    assert read_header(tmp_path / "a.tif").meta["resolution"] == (10, 20, "centimeter")
