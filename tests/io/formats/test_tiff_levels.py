"""Levels of slides: the one that was asked for is read, by number or by µm per pixel, and broken ones are refused."""

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from segapp.errors import SegappError
from segapp.io import FilePart, Image
from segapp.io.formats.tiff_levels import _find_downsample, _is_off, choose_level
from segapp.spec import Resolution
from tests.io.slides import make_levels, write_ndpi, write_pyramid, write_svs

PIXELS = np.random.default_rng(0).integers(0, 256, (230, 310, 3), np.uint8)
LEVELS = make_levels(PIXELS, [1, 3, 9])  # tifffile looks for one factor


def open_at(path: Path, level: int | None = None, um_per_pixel: float | None = None) -> Image:
    """Return a slide at a resolution."""
    return Image(FilePart(path, resolution=Resolution(level, um_per_pixel)))


@pytest.fixture(params=["svs", "tif"])
def slide(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a slide of three levels with 0.25, 0.75 and 2.25 µm per pixel."""
    path = tmp_path / f"a.{request.param}"
    (write_svs if request.param == "svs" else write_pyramid)(path, LEVELS)
    return path


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_level_and_its_um_per_pixel_are_the_same_pixels(slide: Path, number: int) -> None:
    um = [0.25, 0.75, 2.25][number]
    for image in (open_at(slide, number), open_at(slide, um_per_pixel=um), open_at(slide, um_per_pixel=um * 1.02)):
        np.testing.assert_array_equal(image.read(), LEVELS[number])
        assert image.meta["pixel_size"] == pytest.approx((um, um))
        assert image.meta["downsample"] == pytest.approx((um * 4, um * 4))
    np.testing.assert_array_equal(open_at(slide, number).read_window(5, 9, 20, 21), LEVELS[number][5:25, 9:30])


def test_without_a_resolution_the_finest_level_is_read(slide: Path) -> None:
    np.testing.assert_array_equal(Image(slide).read(), PIXELS)
    assert Image(slide).meta["pixel_size"] == pytest.approx((0.25, 0.25)) and "downsample" not in Image(slide).meta


def test_between_two_levels_the_finer_one_is_averaged(slide: Path) -> None:
    image = open_at(slide, um_per_pixel=1.5)
    np.testing.assert_array_equal(image.read(), make_levels(LEVELS[1], [2])[0])
    assert image.meta["downsample"] == (6.0, 6.0) and image.shape == (38, 51, 3)
    uneven = open_at(slide, um_per_pixel=1.3)
    np.testing.assert_array_equal(uneven.read()[11:30, 7:50], uneven.read_window(11, 7, 19, 43))


def test_label_macro_and_thumbnail_are_no_levels(tmp_path: Path) -> None:
    write_svs(tmp_path / "a.svs", LEVELS[:1])
    with pytest.raises(SegappError, match=r"a\.svs: has one level \(0\), and resolution\.level is 1; set one"):
        _ = open_at(tmp_path / "a.svs", 1).shape


def test_ome_tiff_keeps_its_levels_in_sub_pages(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as file:
        size = {"PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25}
        file.write(LEVELS[0], subifds=2, tile=(64, 64), photometric="rgb", metadata={"axes": "YXS", **size})
        for level in LEVELS[1:]:
            file.write(level, subfiletype=1, tile=(64, 64), photometric="rgb")
    for image in (open_at(tmp_path / "a.ome.tif", 2), open_at(tmp_path / "a.ome.tif", um_per_pixel=2.25)):
        np.testing.assert_array_equal(image.read(), LEVELS[2])


def test_sixteen_bits_are_averaged_in_their_range(tmp_path: Path) -> None:
    pixels = PIXELS[..., 0].astype(np.uint16) * 257
    write_pyramid(tmp_path / "a.tif", make_levels(pixels, [1, 4]))
    image = Image(FilePart(tmp_path / "a.tif", resolution=Resolution(um_per_pixel=0.5)))
    assert image.stored_dtype == np.uint16 and image.shape == (115, 155, 1)
    assert image.meta["pixel_size"] == pytest.approx((0.5, 0.5))


@pytest.mark.parametrize(
    "resolution, words",
    [
        (Resolution(level=3), r"has 3 levels \(0 … 2\), and resolution\.level is 3"),
        (Resolution(um_per_pixel=0.1), "its finest level has 0.25 µm per pixel, and resolution.um_per_pixel is 0.1"),
        (Resolution(um_per_pixel=2000), "888.9 pixels of its nearest level, 2, and at most 64 are averaged"),
    ],
)
def test_a_resolution_that_a_slide_does_not_have_is_refused(slide: Path, resolution: Resolution, words: str) -> None:
    with pytest.raises(SegappError, match=rf"{slide.name}: .*{words}"):
        _ = Image(FilePart(slide, resolution=resolution)).shape


def test_a_file_without_um_per_pixel_is_read_by_level_only(tmp_path: Path) -> None:
    write_pyramid(tmp_path / "a.tif", LEVELS, um=None)
    np.testing.assert_array_equal(open_at(tmp_path / "a.tif", 1).read(), LEVELS[1])
    with pytest.raises(SegappError, match=r"does not say how many µm a pixel has.*set resolution\.level"):
        _ = open_at(tmp_path / "a.tif", um_per_pixel=0.5).shape


def test_dots_per_inch_are_no_measurement(tmp_path: Path) -> None:
    write_pyramid(tmp_path / "a.tif", LEVELS, um=None, resolution=(96, 96), resolutionunit="INCH")
    assert "pixel_size" not in Image(tmp_path / "a.tif").meta


@pytest.mark.parametrize("shape", [(30, 155, 3), (300, 400, 3)], ids=["another form", "larger"])
def test_a_level_that_is_no_smaller_copy_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    write_svs(tmp_path / "a.svs", [PIXELS, np.zeros(shape, np.uint8)])
    np.testing.assert_array_equal(open_at(tmp_path / "a.svs", 0).read(), PIXELS)
    with pytest.raises(SegappError, match=rf"its level 1 of {shape[0]} x {shape[1]} pixels .* is no smaller copy of"):
        _ = open_at(tmp_path / "a.svs", 1).shape


def test_a_level_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    """The tags of level 1 say 100,000 times as many pixels as its tiles hold."""
    write_svs(tmp_path / "a.svs", LEVELS)
    with tifffile.TiffFile(tmp_path / "a.svs") as file:
        tags = [file.pages[2].tags[code] for code in (256, 257)]
        places = [tag.valueoffset for tag in tags]
    data = bytearray((tmp_path / "a.svs").read_bytes())
    for place, side in zip(places, (103 * 6000, 76 * 6000), strict=True):
        data[place : place + 4] = struct.pack("<I", side)
    (tmp_path / "a.svs").write_bytes(data)
    with pytest.raises(SegappError, match=r"a\.svs: "):
        open_at(tmp_path / "a.svs", 1).read()


@pytest.mark.parametrize("code", [324, 325], ids=["offsets", "byte counts"])
def test_a_broken_table_of_tiles_is_one_error(tmp_path: Path, code: int) -> None:
    write_svs(tmp_path / "a.svs", LEVELS)
    with tifffile.TiffFile(tmp_path / "a.svs") as file:
        tag = file.pages[2].tags[code]
        place, length = tag.valueoffset, 4 * tag.count if tag.dtype == 4 else 2 * tag.count
    data = bytearray((tmp_path / "a.svs").read_bytes())
    data[place : place + length] = b"\xff" * length
    (tmp_path / "a.svs").write_bytes(data)
    with pytest.raises(SegappError, match=r"a\.svs: "):
        open_at(tmp_path / "a.svs", 1).read()


def test_a_truncated_slide_is_one_error(tmp_path: Path) -> None:
    write_svs(tmp_path / "a.svs", LEVELS)
    data = (tmp_path / "a.svs").read_bytes()
    for size in (len(data) // 2, len(data) - 5000, 300):
        (tmp_path / "a.svs").write_bytes(data[:size])
        with pytest.raises(SegappError, match=r"a\.svs: "):
            open_at(tmp_path / "a.svs", 2).read()


def test_means_are_not_taken_of_colour_numbers_and_missing_values(tmp_path: Path) -> None:
    grey = PIXELS[..., 0]
    write_pyramid(tmp_path / "a.tif", make_levels(grey, [1, 2]), extratags=[(42113, "s", 2, "0", True)])
    with pytest.raises(SegappError, match="has nodata, which is read at its finest level only"):
        _ = open_at(tmp_path / "a.tif", um_per_pixel=0.9).shape
    np.testing.assert_array_equal(open_at(tmp_path / "a.tif", um_per_pixel=0.25).read()[..., 0], grey)


def test_factors_are_whole_numbers_although_sizes_are_rounded() -> None:
    assert _find_downsample((300, 250), (37, 31)) == (8, 8)
    assert _find_downsample((32914, 46000), (2057, 2875)) == (16, 16)
    assert _find_downsample((300, 300), (100, 100)) == (3, 3)
    assert _find_downsample((300, 250), (120, 100)) == (2.5, 2.5)
    assert not _is_off((300, 250), (5, 4)) and _is_off((300, 250), (50, 10))


def test_the_finest_level_is_chosen_where_nothing_is_asked_for(slide: Path) -> None:
    with tifffile.TiffFile(slide) as file:
        choice = choose_level(slide, file.series[0], None, None)
    assert choice.size == (230, 310) and choice.downsample == (1, 1) and not choice.is_averaged


def test_pieces_of_a_jpeg_of_hamamatsu_are_read_as_tiles(tmp_path: Path) -> None:
    smooth = cv2.GaussianBlur(np.tile(PIXELS[:96, :64], (1, 4, 1)), (0, 0), 4)
    levels = make_levels(smooth, [1, 2])
    write_ndpi(tmp_path / "a.ndpi", levels)
    for image, level in zip((open_at(tmp_path / "a.ndpi", 0), open_at(tmp_path / "a.ndpi", 1)), levels, strict=True):
        np.testing.assert_allclose(image.read(), level.astype(float), atol=6)
        np.testing.assert_array_equal(image.read_window(9, 50, 30, 40), image.read()[9:39, 50:90])
    assert open_at(tmp_path / "a.ndpi", um_per_pixel=0.5).shape == (48, 128, 3)


def test_pieces_of_a_jpeg_that_say_another_size_are_refused(tmp_path: Path) -> None:
    """Decoders allocate what the header of the JPEG says: here 65,000 x 512 pixels for pieces of 8 x 64."""
    write_ndpi(tmp_path / "a.ndpi", make_levels(np.zeros((96, 256, 3), np.uint8), [1]))
    data = bytearray((tmp_path / "a.ndpi").read_bytes())
    restart = data.index(b"\xff\xdd")
    data[restart + 4 : restart + 6] = struct.pack(">H", 65000)
    (tmp_path / "a.ndpi").write_bytes(data)
    with pytest.raises(SegappError, match=r"a\.ndpi: "):
        Image(tmp_path / "a.ndpi").read()
