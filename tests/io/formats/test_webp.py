"""WebP: lossless files are masks too, lossy ones are images only, animations neither."""

import io
import tracemalloc

import numpy as np
import PIL.Image
import pytest

from segapp.errors import SegappError
from segapp.io import Image, read_header, read_raw, read_shape

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)


def save(path, pixels=PIXELS, **options):
    PIL.Image.fromarray(pixels).save(path, "WEBP", **options)
    return path


def test_lossless_comes_back_as_written(tmp_path):
    rgba = np.dstack([PIXELS, np.arange(600, dtype=np.uint16).reshape(20, 30).astype(np.uint8)])
    for pixels in (PIXELS, rgba):
        path = save(tmp_path / f"{pixels.shape[2]}.webp", pixels, lossless=True, exact=True)
        np.testing.assert_array_equal(read_raw(path), pixels)
        assert read_header(path).lossy is None
    assert read_header(path).alpha == 3
    np.testing.assert_array_equal(Image(path, 4).read_window(3, 5, 4, 6), rgba[3:7, 5:11])


@pytest.mark.parametrize("options", [{}, {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"}], ids=["simple", "extended"])
@pytest.mark.parametrize("lossless", [True, False])
def test_lossy_streams_are_known_wherever_they_stand(tmp_path, options, lossless):
    path = save(tmp_path / "a.webp", lossless=lossless, **options)
    assert read_header(path).lossy == (None if lossless else "WebP")


def test_orientation_is_applied(tmp_path):
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    path = save(tmp_path / "a.webp", lossless=True, exif=exif)
    np.testing.assert_array_equal(read_raw(path), np.rot90(PIXELS, -1))


def test_an_animation_is_refused(tmp_path):
    save(tmp_path / "a.webp", save_all=True, append_images=[PIL.Image.fromarray(255 - PIXELS)])
    with pytest.raises(SegappError, match=r"a\.webp: an animated WebP"):
        read_shape(tmp_path / "a.webp")


def test_broken_files_are_errors_that_name_them(tmp_path):
    stream = io.BytesIO()
    PIL.Image.fromarray(PIXELS).save(stream, "WEBP", lossless=True)
    content, path = stream.getvalue(), tmp_path / "a.webp"
    for length in range(12, len(content), 97):
        path.write_bytes(content[:length])
        with pytest.raises(SegappError, match=r"a\.webp"):
            read_raw(path)


def test_another_riff_file_is_no_image(tmp_path):
    (tmp_path / "a.webp").write_bytes(b"RIFF\x24\0\0\0WAVEfmt " + bytes(24))
    with pytest.raises(SegappError, match="not a PNG"):
        read_shape(tmp_path / "a.webp")


def test_a_size_that_the_pixels_do_not_have_takes_no_memory(tmp_path):
    exif = PIL.Image.Exif()
    exif[0x0112] = 1
    content = bytearray(save(tmp_path / "a.webp", lossless=True, exif=exif).read_bytes())
    assert content[12:16] == b"VP8X"
    content[24:30] = (16_000).to_bytes(3, "little") * 2
    (tmp_path / "a.webp").write_bytes(bytes(content))
    tracemalloc.start()
    with pytest.raises(SegappError, match=r"a\.webp"):
        read_raw(tmp_path / "a.webp")
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()
