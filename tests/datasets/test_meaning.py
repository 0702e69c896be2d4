"""A mask means the same in every format: colours, transparency, brightness, codec, and what was not measured."""

import logging
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile

from segapp.datasets import Colours, Encoding, Folder, Fraction, Indices, Instances, PerClass, Threshold
from segapp.datasets.masks.encoding import EncodedMask, Labels, MaskFile
from segapp.errors import MisuseError, SegappError
from tests.datasets.look_alikes import save

TRUTH = np.zeros((32, 32), np.uint8)
TRUTH[8:16, 8:20] = 1
RED = {"background": (0, 0, 0), "a": (255, 0, 0)}
COLOURED = np.where(TRUTH[..., None] > 0, np.uint8((255, 0, 0)), np.uint8(0))


def read(encoding: Encoding, *paths: Path, classes: tuple[str, ...] = ("background", "a")) -> np.ndarray:
    files = [MaskFile(path, "a") for path in paths]
    return EncodedMask(files, encoding, Labels(classes, 0)).read()


def save_with_palette(path: Path, order: list[tuple[int, int, int]]) -> Path:
    """Save COLOURED with its colours in this order of the palette."""
    colours = np.array(order, np.uint8)
    image = PIL.Image.fromarray((COLOURED[:, :, None] == colours).all(-1).argmax(-1).astype(np.uint8))
    image.putpalette(colours.ravel().tolist())
    image.save(path)
    return path


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".gif", ".tif"])
@pytest.mark.parametrize("order", [[(0, 0, 0), (255, 0, 0)], [(255, 0, 0), (0, 0, 0)]])
def test_colours_of_a_palette_are_looked_up(tmp_path: Path, suffix: str, order: list[tuple[int, int, int]]) -> None:
    path = save_with_palette(tmp_path / f"m{suffix}", order)
    np.testing.assert_array_equal(read(Colours(RED), path), TRUTH)


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
    with pytest.raises(MisuseError, match=r"b\.png: its palette paints .* that of .*a\.png"):
        read(encoding, other)


def test_objects_refuse_a_palette_that_paints_nothing_in_colour(tmp_path: Path) -> None:
    swapped = save_with_palette(tmp_path / "m.png", [(255, 0, 0), (0, 0, 0)])
    straight = save_with_palette(tmp_path / "a.png", [(0, 0, 0), (255, 0, 0)])
    for encoding in (Instances(), PerClass()):
        with pytest.raises(MisuseError, match="grey mask"):
            read(encoding, swapped)
    np.testing.assert_array_equal(read(Instances(), straight), TRUTH)


def test_grey_files_hold_colours_too(tmp_path: Path) -> None:
    """Programs that shrink PNGs save a colour mask without colour as grey, or as single bits."""
    white = Colours({"background": (0, 0, 0), "a": (255, 255, 255)})
    save(tmp_path / "grey.png", TRUTH * 255)
    PIL.Image.fromarray(TRUTH * 255).convert("1").save(tmp_path / "bits.png")
    for name in ("grey.png", "bits.png"):
        np.testing.assert_array_equal(read(white, tmp_path / name), TRUTH)


def transparent_masks(folder: Path) -> list[Path]:
    """Save TRUTH as white paint on a transparent canvas, white too, in every way that formats have."""
    rgba = np.dstack([np.full((32, 32, 3), 255, np.uint8), TRUTH * 255])
    save(folder / "rgba.png", rgba)
    tifffile.imwrite(folder / "rgba.tif", rgba, photometric="rgb", extrasamples=["unassalpha"])
    grey = np.where(TRUTH > 0, np.uint8(255), np.uint8(9))
    PIL.Image.fromarray(grey).save(folder / "key.png", transparency=9)
    paint = PIL.Image.fromarray(TRUTH)
    paint.putpalette([255] * 6)
    for name in ("palette.png", "palette.gif"):
        paint.save(folder / name, transparency=0, optimize=False)
    return sorted(folder.iterdir())


def test_transparent_pixels_are_what_the_user_says(tmp_path: Path) -> None:
    white = {"a": (255, 255, 255)}
    for path in transparent_masks(tmp_path):
        for encoding in (Indices(), Indices({0: 0, 255: 1}), Colours(white), Threshold(), Instances(), PerClass()):
            with pytest.raises(MisuseError, match=r"pixels are transparent.*transparent: background"):
                read(encoding, path)
        np.testing.assert_array_equal(read(Colours(white, transparent="background"), path), TRUTH, err_msg=path.name)
        np.testing.assert_array_equal(read(Colours(white, transparent="ignore"), path) == 255, TRUTH == 0)


def test_half_transparent_pixels_are_refused_or_decided(tmp_path: Path) -> None:
    alpha = TRUTH * 255
    alpha[8, 8:20] = (100, 200) * 6
    save(tmp_path / "m.png", np.dstack([np.full((32, 32, 3), 255, np.uint8), alpha]))
    white = {"a": (255, 255, 255)}
    with pytest.raises(MisuseError, match="12 pixels are half transparent"):
        read(Colours(white, transparent="background"), tmp_path / "m.png")
    found = read(Colours(white, transparent="background", nearest=True), tmp_path / "m.png")
    assert found[8, 8:20].tolist() == [0, 1] * 6


@pytest.mark.parametrize("constant", [0, 255])
def test_an_alpha_of_one_value_has_its_meaning_too(tmp_path: Path, constant: int) -> None:
    save(tmp_path / "m.png", np.dstack([TRUTH, np.full_like(TRUTH, constant)]))
    if constant:
        np.testing.assert_array_equal(read(Indices(), tmp_path / "m.png"), TRUTH)
        return
    with pytest.raises(MisuseError, match="1,024 pixels are transparent"):
        read(Indices(), tmp_path / "m.png")


def test_min_is_white_is_turned_round_in_masks_as_in_images(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "bits.tif", TRUTH == 0, photometric="miniswhite")
    tifffile.imwrite(tmp_path / "bytes.tif", 255 - TRUTH, photometric="miniswhite")
    for name in ("bits.tif", "bytes.tif"):
        np.testing.assert_array_equal(read(Indices(), tmp_path / name), TRUTH)
        assert (np.asarray(PIL.Image.open(tmp_path / name)) == TRUTH).all()  # and so does Pillow


def lossy_masks(folder: Path) -> list[Path]:
    PIL.Image.fromarray(TRUTH * 255).save(folder / "grey.jpg", quality=75)
    PIL.Image.fromarray(np.repeat(TRUTH[..., None] * 255, 3, 2)).save(folder / "rgb.jpg", quality=75)
    tifffile.imwrite(folder / "jpeg.tif", TRUTH * 255, compression="jpeg", tile=(32, 32))
    tifffile.imwrite(folder / "jpeg2000.tif", TRUTH * 255, compression="jpeg2000")
    return sorted(folder.iterdir())


def test_a_lossy_mask_is_never_taken_silently(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for path in lossy_masks(tmp_path):
        for encoding in (Indices({0: 0, 255: 1}), Colours(RED), Instances(), PerClass()):
            with pytest.raises(MisuseError, match=r"changes values.*Threshold.*nearest: true"):
                read(encoding, path)
        for encoding in (Threshold(), Instances(threshold=127), PerClass(threshold=127)):
            np.testing.assert_array_equal(read(encoding, path), TRUTH, err_msg=path.name)
    every = {value: int(value > 127) for value in range(256)}  # each value decided by the user
    np.testing.assert_array_equal(read(Indices(every), tmp_path / "grey.jpg"), TRUTH)
    decided = [record.getMessage() for record in caplog.records if "threshold of 127 decided" in record.getMessage()]
    assert decided and str(tmp_path / "grey.jpg") in "".join(decided)


def test_the_log_says_how_many_pixels_were_decided(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    smooth = TRUTH * 255
    smooth[8, 8:20] = 90
    for i in range(12):
        save(tmp_path / f"{i}.png", smooth)
    encoding = Threshold(80, above="a")
    with caplog.at_level(logging.WARNING):
        for path in [*tmp_path.iterdir()] * 2:
            np.testing.assert_array_equal(read(encoding, path), TRUTH)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2 and "decided 12 pixels (1.2 %)" in said[0] and "120 pixels" in said[1]


def test_the_nearest_colour_decides_where_it_is_asked_to(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    PIL.Image.fromarray(COLOURED).save(tmp_path / "m.jpg", quality=95, subsampling=0)
    found = read(Colours(RED, nearest=True), tmp_path / "m.jpg")
    np.testing.assert_array_equal(found, TRUTH)
    assert "nearest colour decided" in caplog.text
    with pytest.raises(MisuseError, match="a colour mask"):
        read(Threshold(), tmp_path / "m.jpg")


def save_geotiff(path: Path, pixels: np.ndarray, nodata: str) -> Path:
    tifffile.imwrite(path, pixels, extratags=[(42113, 2, len(nodata) + 1, nodata, True)])
    return path


def test_what_was_not_measured_is_ignored_or_asked_for(tmp_path: Path) -> None:
    stored = TRUTH.astype(np.int16)
    stored[:2] = -999
    path = save_geotiff(tmp_path / "m.tif", stored, "-999")
    expected = TRUTH.copy()
    expected[:2] = 255
    np.testing.assert_array_equal(read(Indices(), path), expected)
    zero = save_geotiff(tmp_path / "zero.tif", TRUTH, "0")
    with pytest.raises(MisuseError, match=r"\{0: 0\} for the class, or \{0: 255\}"):
        read(Indices(), zero)
    np.testing.assert_array_equal(read(Indices({0: 0}), zero), TRUTH)
    np.testing.assert_array_equal(read(Indices({0: 255}), zero), np.where(TRUTH, 1, 255))
    np.testing.assert_array_equal(read(Instances(), zero), TRUTH)  # 0 is no object anyway
    two = save_geotiff(tmp_path / "two.tif", np.where(expected == 255, 2, TRUTH).astype(np.uint8), "2")
    np.testing.assert_array_equal(read(PerClass(), two), expected)


def test_pages_are_no_mask(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "m.tif", np.stack([TRUTH] * 3), photometric="minisblack")
    with pytest.raises(SegappError, match=r"m\.tif: .*3 pages"):
        read(Indices(), tmp_path / "m.tif")


def test_conversions_are_counted_where_the_first_image_decides(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(4):
        save(tmp_path / f"images/{number}.png", COLOURED if number else TRUTH)
        save(tmp_path / f"masks/{number}.png", TRUTH)
    folder = Folder(tmp_path, ["background", "a"], split=Fraction(val=0.5))
    assert folder.channels == 1 and folder.items("train")
    (said,) = [record.getMessage() for record in caplog.records]
    assert "3 of 4 images have 3 channels" in said and "channels: 3" in said
    caplog.clear()
    assert Folder(tmp_path, ["background", "a"], split=Fraction(val=0.5), channels=3).items("train")
    assert not caplog.records
