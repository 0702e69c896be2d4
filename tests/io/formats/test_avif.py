"""AVIF: images of 8 to 12 bits, no masks without a threshold, no animations."""

import imagecodecs
import numpy as np
import PIL.Image
import pytest

from segapp.errors import SegappError
from segapp.io import read_header, read_raw

SLOPE = np.add.outer(np.arange(64), np.arange(80)).astype(np.uint8)
PIXELS = np.dstack([SLOPE, SLOPE // 2, 255 - SLOPE])


def save(path, pixels=PIXELS, **options):
    PIL.Image.fromarray(pixels).save(path, "AVIF", quality=95, **options)
    return path


def measure_error(path, pixels):
    return np.abs(read_raw(path).astype(int) - pixels).max()


@pytest.mark.parametrize("pixels", [SLOPE, PIXELS, np.dstack([PIXELS, SLOPE])], ids=["grey", "RGB", "RGBA"])
def test_pixels_come_back_nearly_as_written(pixels, tmp_path):
    path = save(tmp_path / "a.avif", pixels)
    header = read_header(path)
    assert measure_error(path, pixels) <= 6
    assert (header.lossy, header.alpha) == ("AVIF", 3 if pixels.shape[2:] == (4,) else None)


@pytest.mark.parametrize("bits", [10, 12])
def test_more_bits_are_kept(bits, tmp_path):
    pixels = PIXELS.astype(np.uint16) << (bits - 8)
    (tmp_path / "a.avif").write_bytes(imagecodecs.avif_encode(pixels, level=95, bitspersample=bits))
    assert read_header(tmp_path / "a.avif").dtype == np.uint16
    assert measure_error(tmp_path / "a.avif", pixels) <= 6 << (bits - 8)


def test_orientation_is_applied(tmp_path):
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    assert measure_error(save(tmp_path / "a.avif", exif=exif), np.rot90(PIXELS, -1)) <= 6


def test_an_animation_is_refused(tmp_path):
    path = save(tmp_path / "a.avif", save_all=True, append_images=[PIL.Image.fromarray(255 - PIXELS)])
    with pytest.raises(SegappError, match=r"a\.avif: an animated AVIF"):
        read_header(path)


def test_broken_files_are_errors_that_name_them(tmp_path):
    path = save(tmp_path / "a.avif")
    content = path.read_bytes()
    for length in range(0, len(content) - 1, 37):
        path.write_bytes(content[:length])
        with pytest.raises(SegappError, match=r"a\.avif"):
            read_raw(path)


def test_a_huge_size_is_refused_before_anything_is_decoded(tmp_path):
    path = save(tmp_path / "a.avif")
    content, place = bytearray(path.read_bytes()), path.read_bytes().index(b"ispe")
    content[place + 8 : place + 16] = (60_000).to_bytes(4) * 2
    path.write_bytes(bytes(content))
    with pytest.raises(SegappError, match=r"a\.avif: AVIF of 60000 x 60000 pixels"):
        read_header(path)


def test_many_bytes_for_few_pixels_are_refused(tmp_path):
    path = save(tmp_path / "a.avif")
    with path.open("ab") as file:
        file.truncate(2**27)
    with pytest.raises(SegappError, match=r"a\.avif: 134,217,728 bytes for AVIF"):
        read_header(path)
