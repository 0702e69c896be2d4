"""JPEG Lossless in DICOM: values come back as they were, and streams of other kinds are refused before decoding."""

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.uid import JPEGLossless, JPEGLosslessSV1

from segapp.errors import SegappError
from segapp.io import list_slices, read_raw
from segapp.io.formats.jpeg_lossless import add_decoder
from tests.io.dicoms import make_slice, save, write_series

RNG = np.random.default_rng(0)
GREY = np.add.outer(np.arange(20) * 90, np.arange(31) * 70).astype(np.uint16) + RNG.integers(0, 9, (20, 31), np.uint16)


def compress(found, path, stream=None, syntax=JPEGLosslessSV1):
    """Write a file whose pixels are one stream of JPEG Lossless, default: of its own values."""
    if stream is None:
        dtype = np.dtype(f"u{found.BitsAllocated // 8}")
        values = np.frombuffer(found.PixelData, dtype)[: found.Rows * found.Columns].reshape(found.Rows, found.Columns)
        stream = encode(values & (2**found.BitsStored - 1), found.BitsStored)
    found.file_meta.TransferSyntaxUID = syntax
    found.PixelData = pydicom.encaps.encapsulate([bytes(stream)])
    found["PixelData"].VR = "OB"
    return save(found, path)


def encode(values, bits):
    return imagecodecs.ljpeg_encode(values, bitspersample=bits)


@pytest.mark.parametrize("syntax", [JPEGLossless, JPEGLosslessSV1])
@pytest.mark.parametrize(("dtype", "stored"), [("u1", 8), ("u2", 16), ("u2", 12), ("i2", 16), ("i2", 12)])
def test_values_come_back_as_they_were(dtype, stored, syntax, tmp_path):
    values = (GREY % 2 ** (stored - 1)).astype(dtype)
    values -= np.array(700 if dtype == "i2" else 0, dtype)
    found = make_slice(values, "a", BitsStored=stored, HighBit=stored - 1)
    plain = read_raw(save(found, tmp_path / "plain.dcm"))
    np.testing.assert_array_equal(plain, values)
    np.testing.assert_array_equal(read_raw(compress(found, tmp_path / "a.dcm", syntax=syntax)), plain)


def test_a_series_is_a_volume(tmp_path):
    voxels = RNG.integers(0, 2000, (9, 7, 3)).astype(np.int16) - 1000
    paths = write_series(tmp_path, voxels)
    for path in paths:
        compress(pydicom.dcmread(path), path)
    np.testing.assert_array_equal(read_raw(list_slices(paths[0], "axial")[2]), voxels[:, :, 2].T)


def test_the_decoder_is_added_once():
    for _ in range(3):
        add_decoder(pydicom)
    assert pydicom.pixels.get_decoder(JPEGLosslessSV1).is_available


def change(stream, word, offset, value):
    """Return a stream with one byte changed, `offset` behind the first marker `word`."""
    place = bytes(stream).index(word) + offset
    return bytes(stream[:place]) + bytes([value]) + bytes(stream[place + 1 :])


STREAM = bytes(encode(GREY, 16))
RESTART = b"\xff\xdd\x00\x04\x00\x1f"


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (change(STREAM, b"\xff\xc3", 6, 99), "holds 99 x 31|holds 20"),
        (change(STREAM, b"\xff\xc3", 8, 99), "holds"),
        (change(STREAM, b"\xff\xc3", 4, 17), "other values than its header says"),
        (change(STREAM, b"\xff\xc3", 9, 3), "other values than its header says"),
        (change(STREAM, b"\xff\xc3", 11, 0x22), "subsampling"),
        (change(STREAM, b"\xff\xc3", 1, 0xC0), "truncated stream of JPEG Lossless"),
        (change(STREAM, b"\xff\xda", 9, 2), "point transform"),
        (STREAM[:2] + RESTART + STREAM[2:], "restart markers"),
        (STREAM[:60], "broken or truncated"),
        (STREAM[: len(STREAM) // 2], "broken or truncated"),
        (b"\xff\xd8\xff\xd9", "broken or truncated"),
    ],
)
def test_other_streams_are_refused(stream, message, tmp_path):
    path = compress(make_slice(GREY, "a"), tmp_path / "a.dcm", stream)
    with pytest.raises(SegappError, match=rf"a\.dcm: .*({message})"):
        read_raw(path)
