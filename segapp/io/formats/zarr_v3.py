"""The metadata of a Zarr array of version 3: codecs in a chain, and shards."""

from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any, Literal

from segapp.errors import SegappError
from segapp.io.formats.zarr_array import (
    LARGEST_CHUNK,
    Shards,
    ZarrArray,
    read_fill,
    read_sizes,
    require_codec,
    require_separator,
    require_values,
)

ByteOrder = Literal["<", ">", "="]

BYTE_ORDERS: dict[str | None, ByteOrder] = {"little": "<", "big": ">", None: "="}

CHECKSUM = "crc32c"


def parse_v3(store: Path, name: str, found: Mapping[str, Any]) -> ZarrArray:
    """Return an array by its zarr.json; SegappError, KeyError, TypeError and others for one that is not read."""
    owner = store / name / "zarr.json"
    if found.get("node_type") != "array":
        raise ValueError(f"it describes a {str(found.get('node_type'))[:50]}, where an array is named")
    if found["chunk_grid"]["name"] != "regular" or found.get("storage_transformers"):
        raise ValueError("its chunks are no regular grid")
    shape, chunks = read_sizes(found["shape"]), read_sizes(found["chunk_grid"]["configuration"]["chunk_shape"])
    codecs, shards = found["codecs"], None
    if codecs[0]["name"] == "sharding_indexed":
        settings = codecs[0]["configuration"]
        outer, chunks = chunks, read_sizes(settings["chunk_shape"])
        shards = _read_shards(owner, outer, chunks, settings)
        if len(codecs) > 1:
            raise ValueError("its shards are compressed as a whole")
        codecs = settings["codecs"]
    order, endian, names = _read_codecs(owner, codecs, len(shape))
    dtype = require_values(owner, found["data_type"]).newbyteorder(endian)
    return ZarrArray(
        store=store,
        name=name,
        version=3,
        shape=shape,
        chunks=chunks,
        dtype=dtype,
        fill=read_fill(found["fill_value"], dtype),
        keys=_read_keys(found["chunk_key_encoding"]),
        order=order,
        codecs=names,
        shards=shards,
    )


def _read_codecs(owner: Path, codecs: Sequence[Any], axes: int) -> tuple[tuple[int, ...], ByteOrder, tuple[str, ...]]:
    """Return the order of the axes in a chunk, the byte order, and the names of further codecs as they are decoded."""
    order, names = tuple(range(axes)), [each["name"] for each in codecs]
    if names[0] == "transpose":
        order = read_sizes(codecs[0]["configuration"]["order"])
        codecs, names = codecs[1:], names[1:]
    if names[0] != "bytes" or sorted(order) != list(range(axes)):
        raise SegappError(f"{owner}: Zarr array with the codec {str(names[0])[:50]!r} before bytes; save it without.")
    endian = BYTE_ORDERS[codecs[0].get("configuration", {}).get("endian")]
    further = tuple(require_codec(owner, name) for name in names[1:])
    if sum(name != CHECKSUM for name in further) > 1:
        raise SegappError(f"{owner}: Zarr array that is compressed twice, by {', '.join(further)}; save it with one.")
    return order, endian, further[::-1]


def _read_shards(owner: Path, outer: Sequence[int], inner: Sequence[int], settings: Mapping[str, Any]) -> Shards:
    if len(outer) != len(inner) or min(inner) < 1 or any(a % b for a, b in zip(outer, inner, strict=True)):
        raise ValueError(f"chunks of {inner} do not divide shards of {outer}")
    _, endian, codecs = _read_codecs(owner, settings["index_codecs"], len(outer) + 1)
    if endian != "<" or set(codecs) - {CHECKSUM}:
        raise ValueError("the index of its shards is compressed")
    counts = tuple(a // b for a, b in zip(outer, inner, strict=True))
    if prod(counts) * 16 > LARGEST_CHUNK:
        raise ValueError("its shards hold too many chunks")
    location = settings.get("index_location", "end")
    return Shards(counts, {"start": True, "end": False}[location], codecs)


def _read_keys(found: Mapping[str, Any]) -> tuple[str, str]:
    """Return what the names of chunks begin with, and what separates their numbers."""
    is_default = {"default": True, "v2": False}[found["name"]]
    separator = require_separator(found.get("configuration", {}).get("separator", "/" if is_default else "."))
    return f"c{separator}" if is_default else "", separator
