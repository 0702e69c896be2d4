"""Tags decide what the samples of a TIFF mean."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile

from segapp.errors import SegappError
from segapp.io import Image, read_raw, read_shape
from segapp.spec import Intensity

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("intensity", [Intensity("percentile", 0, 100), Intensity("zscore")])
@pytest.mark.parametrize("nodata", [-9999.0, np.nan, -3.4028234663852886e38])
def test_nodata_is_in_no_statistics_and_becomes_0(tmp_path: Path, intensity: Intensity, nodata: float) -> None:
    measured = RNG.normal(1000, 50, (37, 50)).astype(np.float32)
    tifffile.imwrite(tmp_path / "whole.tif", measured[5:])
    pixels = measured.copy()
    pixels[:5] = nodata
    text = f"{nodata:.17g}"
    tifffile.imwrite(tmp_path / "a.tif", pixels, extratags=[(42113, 2, len(text) + 1, text, True)])
    found = Image(tmp_path / "a.tif", intensity=intensity).read()
    assert (found[:5] == 0).all()
    np.testing.assert_array_equal(found[5:], Image(tmp_path / "whole.tif", intensity=intensity).read())
    tifffile.imwrite(
        tmp_path / "b.tif", np.full((9, 9), nodata, np.float32), extratags=[(42113, 2, len(text) + 1, text)]
    )
    assert (Image(tmp_path / "b.tif", intensity=intensity).read() == 0).all()


def test_a_fourth_band_that_calls_itself_alpha_is_used_where_it_is_asked_for(tmp_path: Path) -> None:
    four = RNG.integers(0, 256, (37, 50, 4), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", four, photometric="rgb")
    np.testing.assert_array_equal(Image(tmp_path / "a.tif", 4).read(), four)
    np.testing.assert_array_equal(Image(tmp_path / "a.tif", 4).read_window(3, 4, 5, 6), four[3:8, 4:10])
    with pytest.raises(SegappError, match=r"alpha channel varies.*`channels: 4`"):
        Image(tmp_path / "a.tif").read()
    four[..., 3] = 9  # a chip where it happens to be constant keeps it
    tifffile.imwrite(tmp_path / "a.tif", four, photometric="rgb")
    assert Image(tmp_path / "a.tif", 4).read().shape == (37, 50, 4)
    assert Image(tmp_path / "a.tif", 3).read().shape == (37, 50, 3)


@pytest.mark.parametrize(
    ("photometric", "shape", "words"),
    [
        ("cielab", (37, 50, 3), "CIELAB colours"),
        ("separated", (37, 50, 4), "SEPARATED colours"),
        ("ycbcr", (37, 50, 3), "YCbCr colours under NONE"),
    ],
)
def test_other_colour_spaces_are_refused(tmp_path: Path, photometric: str, shape: tuple[int, ...], words: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros(shape, np.uint8), photometric=photometric)
    with pytest.raises(SegappError, match=words):
        read_shape(tmp_path / "a.tif")


def test_ycbcr_under_jpeg_is_rgb(tmp_path: Path) -> None:
    red = PIL.Image.new("RGB", (64, 64), (250, 0, 0))
    red.convert("YCbCr").save(tmp_path / "a.tif", compression="jpeg")
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.pages[0].photometric == tifffile.PHOTOMETRIC.YCBCR
    assert np.abs(read_raw(tmp_path / "a.tif").astype(int) - np.asarray(red)).max() < 8


@pytest.mark.parametrize("photometric", ["rgb", "ycbcr"])
def test_aperio_s_compression_says_what_the_colours_are(tmp_path: Path, photometric: str) -> None:
    pixels = RNG.integers(0, 256, (64, 64, 3), np.uint8)
    options = {"photometric": photometric, "tile": (64, 64), "metadata": None}
    tifffile.imwrite(tmp_path / "a.svs", pixels, compression=33005, **options)
    np.testing.assert_array_equal(read_raw(tmp_path / "a.svs"), pixels)
    tifffile.imwrite(tmp_path / "b.svs", pixels, compression=33003, **options)
    with pytest.raises(SegappError, match=r"b\.svs: TIFF with YCbCr colours under APERIO_JP2000_YCBC; convert it"):
        read_shape(tmp_path / "b.svs")


def test_a_palette_is_read_in_8_bits_too_and_refused_in_16(tmp_path: Path) -> None:
    colours = np.zeros((3, 256), np.uint16)
    colours[:, 1] = (200, 100, 50)  # some programs do not scale to 16 bits
    tifffile.imwrite(tmp_path / "a.tif", np.ones((4, 4), np.uint8), photometric="palette", colormap=colours)
    assert Image(tmp_path / "a.tif").read()[0, 0].tolist() == [200, 100, 50]
    tifffile.imwrite(
        tmp_path / "b.tif", np.ones((4, 4), np.uint16), photometric="palette", colormap=np.zeros((3, 2**16), np.uint16)
    )
    with pytest.raises(SegappError, match="palette for 1 x uint16"):
        read_shape(tmp_path / "b.tif")
