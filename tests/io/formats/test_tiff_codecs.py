"""Tiles that are images of their own are as large as the TIFF says, or refused before they are decoded."""

import io
import struct
import tracemalloc

import imagecodecs
import numpy as np
import PIL.Image
import pytest
import tifffile

from segapp.errors import SegappError
from segapp.io import read_raw

PIXELS = np.random.default_rng(0).integers(0, 255, (100, 70, 3), np.uint8)


LOSSLESS = {"png": {}, "webp": {"lossless": True}, "jpeg2000": {"reversible": True}, "lerc": {}}


ENCODE = {
    "jpeg": (7, imagecodecs.jpeg_encode),
    "png": (34933, imagecodecs.png_encode),
    "jpeg2000": (34712, imagecodecs.jpeg2k_encode),
    "webp": (50001, lambda pixels: imagecodecs.webp_encode(np.repeat(pixels[..., None], 3, 2))),
}


@pytest.mark.parametrize("tile", [None, (32, 48)], ids=["strips", "tiles"])
@pytest.mark.parametrize("codec", [*LOSSLESS, "jpeg"])
def test_honest_files_are_read(tmp_path, codec, tile):
    options = {"compressionargs": LOSSLESS[codec]} if LOSSLESS.get(codec) else {}
    tifffile.imwrite(tmp_path / "a.tif", PIXELS, compression=codec, photometric="rgb", tile=tile, **options)
    found = read_raw(tmp_path / "a.tif")
    assert found.shape == PIXELS.shape
    assert codec == "jpeg" or np.array_equal(found, PIXELS)


@pytest.mark.parametrize("codec", ENCODE)
def test_a_tile_larger_than_the_file_says_takes_no_memory(tmp_path, codec):
    number, encode = ENCODE[codec]
    stream = encode(np.zeros((2000, 3000), np.uint8))
    tifffile.imwrite(tmp_path / "a.tif", iter([stream]), shape=(64, 64), dtype=np.uint8, compression=number)
    tracemalloc.start()
    with pytest.raises(SegappError, match="2000 x 3000"):
        read_raw(tmp_path / "a.tif")
    assert tracemalloc.get_traced_memory()[1] < 2**21
    tracemalloc.stop()


def test_a_codec_whose_size_is_unknown_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", PIXELS, compression="jpegxl", photometric="rgb")
    with pytest.raises(SegappError, match="JPEGXL"):
        read_raw(tmp_path / "a.tif")


@pytest.mark.parametrize("codec", ["lerc", "jpeg2000"])
def test_a_tile_of_endless_values_takes_no_memory(tmp_path, codec):
    """A blob of some bytes said that each of its pixels has 134 million values: 32 GB."""
    if codec == "lerc":
        stream = bytearray(imagecodecs.lerc_encode(np.zeros((16, 16), np.uint8), version=4))
        struct.pack_into("<i", stream, 22, 2**27)
    else:
        stream = bytearray(imagecodecs.jpeg2k_encode(np.zeros((16, 16), np.uint8), codecformat="J2K"))
        struct.pack_into(">H", stream, 40, 16_384)
    number = {"lerc": 34887, "jpeg2000": 34712}[codec]
    tifffile.imwrite(tmp_path / "a.tif", iter([bytes(stream)]), shape=(16, 16), dtype=np.uint8, compression=number)
    tracemalloc.start()
    with pytest.raises(SegappError, match=r"a\.tif: TIFF with a \w+ tile whose header cannot be read"):
        read_raw(tmp_path / "a.tif")
    assert tracemalloc.get_traced_memory()[1] < 2**22
    tracemalloc.stop()


def test_a_jpeg_tile_of_endless_scans_is_refused(tmp_path):
    encoded = io.BytesIO()
    PIL.Image.fromarray(PIXELS[..., 0]).save(encoded, "JPEG", progressive=True)
    content = encoded.getvalue()
    last = content.rindex(b"\xff\xda")
    stream = content[:last] + content[last:-2] * 200 + content[-2:]
    tifffile.imwrite(tmp_path / "a.tif", iter([stream]), shape=(100, 70), dtype=np.uint8, compression=7)
    with pytest.raises(SegappError, match=r"a\.tif: .* scans"):
        read_raw(tmp_path / "a.tif")
