"""Boxes of arrays, in whatever way their chunks are stored."""

from itertools import product

import numcodecs
import numpy as np
import pytest
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec, GzipCodec, TransposeCodec

from segapp.errors import SegappError
from segapp.io.formats.zarr_array import read_zarr_array
from segapp.io.formats.zarr_chunks import read_box, require_stored

VALUES = np.random.default_rng(0).integers(0, 1000, (7, 20, 33))
KINDS = {
    "plain": (2, {"compressors": None}),
    "blosc": (2, {}),
    "columns first": (2, {"order": "F"}),
    "zlib": (2, {"compressors": numcodecs.Zlib()}),
    "lz4": (2, {"compressors": numcodecs.LZ4()}),
    "zstd": (3, {}),
    "checksum": (3, {"compressors": [GzipCodec(), Crc32cCodec()]}),
    "transposed": (3, {"filters": [TransposeCodec(order=(2, 0, 1))]}),
    "shards": (3, {"shards": (6, 16, 24), "compressors": BloscCodec()}),
}


def write(path, version=3, dtype="<u2", **options):
    group = zarr.open_group(str(path), mode="w", zarr_format=version)
    array = group.create_array("a", shape=VALUES.shape, chunks=(3, 8, 12), dtype=dtype, **options)
    array[...] = VALUES.astype(dtype)
    return read_zarr_array(path, "a")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["<u2", ">f4", "int64"])
def test_boxes_have_the_values_of_the_array(tmp_path, kind, dtype):
    version, options = KINDS[kind]
    array = write(tmp_path, version, dtype, **options)
    for box in product((slice(0, 7), slice(2, 4)), (slice(0, 20), slice(19, 20)), (slice(0, 33), slice(11, 13))):
        found = read_box(array, box)
        np.testing.assert_array_equal(found, VALUES[box])
        assert found.dtype == np.dtype(dtype).newbyteorder("=")


def test_shards_without_a_chunk_have_the_fill_value_there(tmp_path):
    array = write(tmp_path, shards=(6, 16, 24), fill_value=5)
    zarr.open_array(str(tmp_path / "a"), mode="r+")[:3, :8, :12] = 5
    expected = VALUES.copy()
    expected[:3, :8, :12] = 5
    np.testing.assert_array_equal(read_box(array, [slice(0, size) for size in VALUES.shape]), expected)


@pytest.mark.parametrize("change", [lambda data: data[:10], lambda data: b"", lambda data: bytes(len(data))])
def test_a_broken_shard_is_reported(tmp_path, change):
    array = write(tmp_path, shards=(6, 16, 24))
    file = tmp_path / "a" / "c" / "0" / "0" / "0"
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(SegappError, match=r"c/0/0/0: a broken or truncated chunk"):
        read_box(array, [slice(0, 1)] * 3)


def test_a_huge_array_needs_some_values(tmp_path):
    group = zarr.open_group(str(tmp_path), mode="w")
    group.create_array("a", shape=(2**15, 2**16), chunks=(2**12, 2**12), dtype="u1", compressors=None)
    array = read_zarr_array(tmp_path, "a")
    with pytest.raises(SegappError, match=r"with only .* bytes of data"):
        require_stored(array)
    group["a"][:512, :1024] = 1
    require_stored(array)
