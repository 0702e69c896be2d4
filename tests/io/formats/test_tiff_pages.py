"""What a TIFF says about its pages, samples and pixels is respected, or the file is refused."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile

from segapp.errors import SegappError
from segapp.io import Image, read_mask_window, read_raw, read_shape
from segapp.io.formats import tiff_pages
from segapp.spec import Intensity

RNG = np.random.default_rng(0)
PAGES = RNG.integers(0, 256, (3, 37, 50), np.uint8)
RANGE = Intensity("range", 0, 255)


@pytest.mark.parametrize("how", ["pillow", "tifffile", "imagej"])
@pytest.mark.parametrize("channels", [None, 1, 3])
def test_three_pages_are_no_colours(tmp_path: Path, how: str, channels: int | None) -> None:
    path = tmp_path / "a.tif"
    if how == "pillow":
        first, *others = map(PIL.Image.fromarray, PAGES)
        first.save(path, save_all=True, append_images=others)
    else:
        axes = {"axes": "ZYX"} if how == "imagej" else None
        tifffile.imwrite(path, PAGES, photometric="minisblack", imagej=how == "imagej", metadata=axes)
    with pytest.raises(SegappError, match=r"a\.tif: TIFF (of 3 pages|with the axes .=3)"):
        _ = Image(path, channels).shape
    tifffile.imwrite(path, PAGES, photometric="minisblack", metadata={"axes": "CYX"})
    np.testing.assert_array_equal(Image(path, channels).read().shape, (37, 50, channels or 3))


def test_other_numbers_of_pages_are_channels_where_they_are_asked_for(tmp_path: Path) -> None:
    pages = RNG.integers(0, 256, (5, 37, 50), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pages, photometric="minisblack", metadata=None)
    np.testing.assert_array_equal(Image(tmp_path / "a.tif", 5).read(), np.moveaxis(pages, 0, -1))
    with pytest.raises(SegappError, match=r"5 pages .* set `channels: 5`"):
        Image(tmp_path / "a.tif").read()


def _named_elsewhere(folder: Path) -> dict[str, Path]:
    """Write files whose metadata, or whose folder, make tifffile look into others; all pixels here are 7."""
    (folder / "secret").mkdir()
    secret = np.full((64, 64), 200, np.uint8)
    tifffile.imwrite(folder / "secret/s.tif", secret, metadata=None)
    xml = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:1">'
        '<Image ID="Image:0"><Pixels ID="P:0" Type="uint8" SizeX="64" SizeY="64" SizeC="1" SizeZ="1" SizeT="1" '
        'DimensionOrder="XYCZT"><TiffData IFD="0"><UUID FileName="../secret/s.tif">urn:uuid:2</UUID></TiffData>'
        "</Pixels></Image></OME>"
    )
    (folder / "in").mkdir()
    own = np.full((64, 64), 7, np.uint8)
    tifffile.imwrite(folder / "in/ome.tif", own, description=xml, metadata=None)
    tifffile.imwrite(folder / "in/ndtiff.tif", own, metadata=None)
    (folder / "in/NDTiff.index").write_bytes(b"")
    return {name: folder / f"in/{name}.tif" for name in ("ome", "ndtiff")}


def test_no_other_file_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = _named_elsewhere(tmp_path)
    opened: list[str] = []
    real = tifffile.FileHandle.open
    monkeypatch.setattr(tifffile.FileHandle, "open", lambda self: (opened.append(str(self._file)), real(self))[1])
    for path in files.values():
        assert (read_raw(path) == 7).all()
        assert {Path(name).name for name in opened} == {path.name}
        opened.clear()


def test_a_stack_of_micro_manager_opens_no_other_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """tifffile looks for its other files also where it was told not to; no file of that kind is at hand."""
    tifffile.imwrite(tmp_path / "a.tif", PAGES[0], metadata=None)
    monkeypatch.setattr(tifffile.TiffFile, "is_mmstack", True)
    monkeypatch.setattr(tifffile.TiffFile, "_series_mmstack", lambda self: pytest.fail("looks for other files"))
    np.testing.assert_array_equal(read_raw(tmp_path / "a.tif"), PAGES[0])


def test_a_smaller_copy_is_not_the_image(tmp_path: Path) -> None:
    large = RNG.integers(0, 256, (64, 96), np.uint8)
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(large[::2, ::2], subfiletype=1)
        file.write(large, subfiletype=0)
        file.write(large[::4, ::4], subfiletype=1)
    np.testing.assert_array_equal(read_raw(tmp_path / "a.tif"), large)
    with tifffile.TiffWriter(tmp_path / "b.tif") as file:
        file.write(large)
        file.write(large[:40])
    with pytest.raises(SegappError, match=r"b\.tif: TIFF of 2 images \(64 x 96, 40 x 96\)"):
        read_shape(tmp_path / "b.tif")


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


def test_a_mask_page_is_nodata_too(tmp_path: Path) -> None:
    measured = RNG.integers(1000, 2000, (37, 50), np.uint16)
    pixels, valid = measured.copy(), np.ones((37, 50), bool)
    pixels[:5], valid[:5] = 60000, 0
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(pixels, compression="deflate")
        file.write(valid, compression="deflate", photometric="mask", subfiletype=4)
    tifffile.imwrite(tmp_path / "whole.tif", measured[5:])
    intensity = Intensity("percentile", 0, 100)
    found = Image(tmp_path / "a.tif", intensity=intensity).read()
    assert (found[:5] == 0).all()
    np.testing.assert_array_equal(found[5:], Image(tmp_path / "whole.tif", intensity=intensity).read())
    missing = read_mask_window(tmp_path / "a.tif", 3, 0, 10, 50).missing
    assert missing is not None and missing[:2].all() and not missing[2:].any()


def test_a_fourth_band_that_calls_itself_alpha_is_used_where_it_is_asked_for(tmp_path: Path) -> None:
    four = RNG.integers(0, 256, (37, 50, 4), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", four, photometric="rgb")
    np.testing.assert_array_equal(Image(tmp_path / "a.tif", 4).read(), four)
    np.testing.assert_array_equal(Image(tmp_path / "a.tif", 4).window(3, 4, 5, 6), four[3:8, 4:10])
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


def test_a_file_of_endless_pages_is_refused_unseen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff_pages, "MAX_PAGES", 20)
    for count in (20, 21):
        with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
            for _ in range(count):
                writer.write(np.zeros((32, 32), np.uint8), contiguous=False)
        with pytest.raises(SegappError, match="more than 20 pages" if count > 20 else "20 images"):
            read_raw(tmp_path / "a.tif")
