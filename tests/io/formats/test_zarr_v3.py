"""The metadata of arrays of version 3."""

import numpy as np
import pytest
import zarr
from zarr.codecs import BytesCodec, TransposeCodec

from segapp.errors import SegappError
from segapp.io.formats.zarr_array import read_zarr_array
from tests.io.ome_zarrs import change_json


def write(store, **options):
    group = zarr.open_group(str(store), mode="w", zarr_format=3)
    settings = {"shape": (20, 30), "chunks": (5, 10), "dtype": "uint16"} | options
    group.create_array("a", **settings)
    return store / "a" / "zarr.json"


def test_an_array_is_described(tmp_path):
    write(tmp_path, fill_value=3)
    array = read_zarr_array(tmp_path, "a")
    assert (array.version, array.shape, array.chunks, array.fill) == (3, (20, 30), (5, 10), 3)
    assert array.codecs == ("zstd",) and array.dtype == np.uint16 and array.name_file((1, 2)) == "a/c/1/2"
    write(tmp_path, serializer=BytesCodec(endian="big"), filters=[TransposeCodec(order=(1, 0))], compressors=None)
    array = read_zarr_array(tmp_path, "a")
    assert array.dtype == np.dtype(">u2") and array.order == (1, 0) and array.codecs == ()
    write(tmp_path, chunk_key_encoding={"name": "v2", "separator": "."})
    assert read_zarr_array(tmp_path, "a").name_file((1, 2)) == "a/1.2"


@pytest.mark.parametrize("codec", ["blosc", "zstd", "lz4", "zlib", "gzip"])
def test_codecs_of_numcodecs_are_those_of_the_same_name(tmp_path, codec):
    file = write(tmp_path, compressors=None)
    change_json(file, codecs=[BYTES, {"name": f"numcodecs.{codec}", "configuration": {}}])
    assert read_zarr_array(tmp_path, "a").codecs == (codec,)


def test_compressors_to_save_with_are_named(tmp_path):
    change_json(write(tmp_path), codecs=[BYTES, {"name": "numcodecs.lzma", "configuration": {}}])
    with pytest.raises(SegappError, match=r"'numcodecs\.lzma'; save it with blosc, zstd, lz4, zlib or gzip, or un"):
        read_zarr_array(tmp_path, "a")


def test_shards_are_described(tmp_path):
    write(tmp_path, shards=(10, 30))
    array = read_zarr_array(tmp_path, "a")
    assert array.chunks == (5, 10) and array.shards.chunks == (2, 3) and array.shards.codecs == ("crc32c",)
    assert not array.shards.is_first


BYTES = {"name": "bytes", "configuration": {"endian": "little"}}
SHARDS = {"chunk_shape": [5, 10], "codecs": [BYTES], "index_codecs": [BYTES]}
BAD = {
    "group": ({"node_type": "group"}, "describes a group"),
    "grid": ({"chunk_grid": {"name": "rectangular", "configuration": {}}}, "no regular grid"),
    "objects": ({"data_type": "string"}, "wrong"),
    "extension": ({"data_type": {"name": "numpy.datetime64"}}, "objects are never read"),
    "codec": ({"codecs": [{"name": "vlen-utf8"}]}, "vlen-utf8"),
    "compressor": ({"codecs": [BYTES, {"name": "pickle"}]}, "pickle"),
    "twice": ({"codecs": [BYTES, {"name": "gzip"}, {"name": "zstd"}]}, "twice"),
    "no codec": ({"codecs": []}, "wrong"),
    "order": ({"codecs": [{"name": "transpose", "configuration": {"order": [0, 0]}}, BYTES]}, "bytes"),
    "separator": ({"chunk_key_encoding": {"name": "default", "configuration": {"separator": "/../"}}}, "separates"),
    "keys": ({"chunk_key_encoding": {"name": "other"}}, "wrong"),
    "chunks": (
        {"codecs": [{"name": "sharding_indexed", "configuration": SHARDS | {"chunk_shape": [3, 10]}}]},
        "divide",
    ),
    "nested": (
        {
            "codecs": [
                {"name": "sharding_indexed", "configuration": SHARDS | {"codecs": [{"name": "sharding_indexed"}]}}
            ]
        },
        "sharding_indexed",
    ),
    "index": (
        {
            "codecs": [
                {"name": "sharding_indexed", "configuration": SHARDS | {"index_codecs": [BYTES, {"name": "gzip"}]}}
            ]
        },
        "index",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_read_is_reported(tmp_path, name):
    changes, found = BAD[name]
    change_json(write(tmp_path), **changes)
    with pytest.raises(SegappError, match=found) as error:
        read_zarr_array(tmp_path, "a")
    assert f"{tmp_path}/a/zarr.json" in str(error.value)
