"""The metadata of arrays of version 2."""

import json

import numpy as np
import pytest

from segapp.errors import SegappError
from segapp.io.formats.zarr_array import find_array_file, read_fill, read_zarr_array

PLAIN = {
    "zarr_format": 2,
    "shape": [100, 60],
    "chunks": [10, 20],
    "dtype": ">i2",
    "fill_value": None,
    "order": "F",
    "filters": None,
    "compressor": {"id": "zlib", "level": 1},
}


def write(store, **changes):
    (store / "a").mkdir(exist_ok=True)
    (store / "a" / ".zarray").write_text(json.dumps(PLAIN | changes))
    return store


def test_an_array_is_described(tmp_path):
    assert find_array_file(tmp_path, "a") is None
    array = read_zarr_array(write(tmp_path), "a")
    assert (array.shape, array.chunks, array.dtype, array.fill) == ((100, 60), (10, 20), np.dtype(">i2"), 0)
    assert array.order == (1, 0) and array.codecs == ("zlib",) and array.chunk_bytes == 400
    assert array.name_file((3, 2)) == "a/3.2"
    assert read_zarr_array(write(tmp_path, dimension_separator="/"), "a").name_file((3, 2)) == "a/3/2"
    assert find_array_file(tmp_path, "a") == "a/.zarray"


def test_fill_values_have_many_spellings():
    assert read_fill(None, np.dtype("<u2")) == 0 and read_fill(7, np.dtype(">u2")) == 7
    assert np.isnan(read_fill("NaN", np.dtype("f4"))) and read_fill("-Infinity", np.dtype("f8")) == -np.inf
    assert read_fill("0x3fc00000", np.dtype("f4")) == 1.5 and read_fill(True, np.dtype("?"))
    for found in ("many", [1, 2], {}, "0x" + "f" * 99, 10**400):
        with pytest.raises((KeyError, TypeError, ValueError, OverflowError)):
            read_fill(found, np.dtype("f4")).item()


BAD = {
    "no axes": ({"shape": [], "chunks": []}, "no values"),
    "many axes": ({"shape": [1] * 9, "chunks": [1] * 9}, "it is wrong"),
    "other chunks": ({"chunks": [10]}, "1 axes"),
    "truth": ({"shape": [True, 5]}, "no sizes"),
    "floats": ({"shape": [1e3, 5]}, "no sizes"),
    "complex": ({"dtype": "<c8"}, "<c8"),
    "text": ({"dtype": "<U5"}, "<U5"),
    "dates": ({"dtype": "<M8[ns]"}, "objects are never read"),
    "no type": ({"dtype": None}, "objects are never read"),
    "separator": ({"dimension_separator": "../"}, "separates"),
    "compressor": ({"compressor": {"id": "pickle"}}, "pickle"),
    "compressor's name": ({"compressor": "zlib"}, "wrong"),
    "filters": ({"filters": [{"id": "delta"}]}, "delta"),
    "fill": ({"fill_value": "many"}, "wrong"),
    "large fill": ({"fill_value": 10**6}, "wrong"),
    "fill of floats": ({"fill_value": "NaN"}, "wrong"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_read_is_reported(tmp_path, name):
    changes, found = BAD[name]
    with pytest.raises(SegappError, match=found) as error:
        read_zarr_array(write(tmp_path, **changes), "a")
    assert f"{tmp_path}/a" in str(error.value)
