"""Codecs of chunks: nothing is read beyond their bytes, and no more values come out than are asked for."""

import gzip
import zlib

import google_crc32c
import numcodecs
import numpy as np
import pytest

from segapp.io.formats.zarr_codecs import CODECS, decompress

VALUES = np.random.default_rng(0).integers(0, 5, 5000).astype(np.uint8).tobytes()
STORED = {
    "blosc": bytes(numcodecs.Blosc().encode(VALUES)),
    "zstd": bytes(numcodecs.Zstd().encode(VALUES)),
    "lz4": bytes(numcodecs.LZ4().encode(VALUES)),
    "zlib": zlib.compress(VALUES),
    "gzip": gzip.compress(VALUES),
    "crc32c": VALUES + google_crc32c.value(VALUES).to_bytes(4, "little"),
}


@pytest.mark.parametrize("codec", CODECS)
def test_a_chunk_is_decompressed(codec):
    assert decompress(STORED[codec], (codec,), 5000) == VALUES


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("size", [4999, 5001, 1])
def test_a_chunk_of_another_size_is_an_error(codec, size):
    with pytest.raises((ValueError, RuntimeError)):
        decompress(STORED[codec], (codec,), size)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("left", [0, 3, 20, 300])
def test_a_truncated_chunk_is_an_error(codec, left):
    with pytest.raises((ValueError, RuntimeError)):
        decompress(STORED[codec][:left], (codec,), 5000)


def test_a_truncated_buffer_of_blosc_that_is_not_compressed_is_an_error():
    stored = bytes(numcodecs.Blosc(clevel=0).encode(VALUES))
    with pytest.raises(ValueError, match="5,016 bytes"):
        decompress(stored[:20], ("blosc",), 5000)


def test_a_wrong_checksum_is_an_error():
    with pytest.raises(ValueError, match="checksum"):
        decompress(bytes(5004), ("crc32c",), 5000)


def test_codecs_are_applied_in_order():
    both = STORED["zstd"] + google_crc32c.value(STORED["zstd"]).to_bytes(4, "little")
    assert decompress(both, ("crc32c", "zstd"), 5000) == VALUES
    assert decompress(VALUES, (), 5000) == VALUES
