"""The metadata of a Zarr array, versions 2 and 3: checked before any chunk is looked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, prod
from pathlib import Path
from typing import Any

import numpy as np

from segapp.errors import SegappError
from segapp.io.formats.zarr_codecs import CODECS, COMPRESSORS
from segapp.io.formats.zarr_files import read_json

LARGEST_CHUNK = 2**28
"""Bytes of a chunk, which is decompressed as a whole."""

MOST_CHUNKS = 2**22
"""Chunks of an array: 64 x 64 x 64 values each of a terabyte."""

MOST_AXES = 8

VALUES = "buif"
"""Kinds of values: truth, integers, floats. Objects are never read."""

FILLS = {"NaN": np.nan, "Infinity": np.inf, "-Infinity": -np.inf}


@dataclass(frozen=True)
class Shards:
    """Files that hold several chunks each, with an index of where each one lies.

    Attributes:
        chunks: Of each file, along the axes.
        is_first: Whether the index is at the beginning of a file; else at its end.
        codecs: Of the index.
    """

    chunks: tuple[int, ...]
    is_first: bool
    codecs: tuple[str, ...]


@dataclass(frozen=True)
class ZarrArray:
    """An array of a store without its values.

    Attributes:
        store: The folder.
        name: The path of the array in it.
        version: Of Zarr's format.
        shape: Of the array.
        chunks: The shape of one chunk, also at the end of an axis.
        dtype: Of stored values, in their byte order.
        fill: The value of chunks that are not stored.
        keys: What the names of chunks begin with, and what separates the numbers in them.
        order: The axes in the order in which the values of a chunk are stored.
        codecs: Names of `CODECS`, in the order of decoding.
        shards: None where every chunk has a file.
    """

    store: Path
    name: str
    version: int
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: np.dtype[Any]
    fill: Any
    keys: tuple[str, str]
    order: tuple[int, ...]
    codecs: tuple[str, ...]
    shards: Shards | None = None

    @property
    def path(self) -> Path:
        """The folder of the array."""
        return self.store / self.name

    @property
    def chunk_bytes(self) -> int:
        """Bytes of the values of a chunk."""
        return prod(self.chunks) * self.dtype.itemsize

    def name_file(self, numbers: Sequence[int]) -> str:
        """Return the path in the store of the file of a chunk, or of a shard, by its numbers along the axes."""
        start, separator = self.keys
        return f"{self.name}/{start}{separator.join(map(str, numbers))}"


def find_array_file(store: Path, name: str) -> str | None:
    """Return the path in a store of the metadata of an array; None where it has none."""
    names = (f"{name}/zarr.json", f"{name}/.zarray")
    return next((each for each in names if (store / each).is_symlink() or (store / each).exists()), None)


def read_zarr_array(store: Path, name: str) -> ZarrArray:
    """Return an array without its values; raise SegappError for one that is not read."""
    from segapp.io.formats.zarr_v3 import parse_v3

    file = find_array_file(store, name)
    found = None if file is None else read_json(store, file)
    if file is None or found is None:
        raise SegappError(f"{store}: OME-Zarr without the array {name!r}, which its metadata names; copy it again.")
    try:
        array = (parse_v3 if file.endswith("zarr.json") else _parse_v2)(store, name, found)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise SegappError(
            f"{store / file}: metadata of a Zarr array that is wrong ({type(error).__name__}: {str(error)[:100]})."
        ) from error
    _require_bounds(store / file, array)
    return array


def _parse_v2(store: Path, name: str, found: Mapping[str, Any]) -> ZarrArray:
    owner = store / name / ".zarray"
    compressor = found["compressor"]
    codecs = () if compressor is None else (require_codec(owner, compressor["id"]),)
    if found.get("filters"):
        raise SegappError(
            f"{owner}: Zarr array with the filter {name_first(found['filters'])!r}; save it without filters."
        )
    shape = read_sizes(found["shape"])
    axes = tuple(range(len(shape)))
    dtype = require_values(owner, found["dtype"])
    return ZarrArray(
        store=store,
        name=name,
        version=2,
        shape=shape,
        chunks=read_sizes(found["chunks"]),
        dtype=dtype,
        fill=read_fill(found["fill_value"], dtype),
        keys=("", require_separator(found.get("dimension_separator", "."))),
        order=axes[::-1] if found["order"] == "F" else axes,
        codecs=codecs,
    )


def require_codec(owner: Path, name: object) -> str:
    """Return the name of a codec, also where zarr-python puts its package before it; SegappError for an unread one."""
    plain = name.removeprefix("numcodecs.") if isinstance(name, str) else ""
    if plain not in CODECS:
        raise SegappError(
            f"{owner}: Zarr array with the codec {str(name)[:50]!r}; save it with "
            f"{', '.join(COMPRESSORS[:-1])} or {COMPRESSORS[-1]}, or uncompressed."
        )
    return plain


def require_values(owner: Path, stored: object) -> np.dtype[Any]:
    """Return the type of values by its name in the metadata; raise SegappError for what is no number."""
    dtype = np.dtype(stored) if isinstance(stored, str) and len(stored) < 20 else None
    if dtype is None or dtype.kind not in VALUES or dtype.itemsize > 8 or dtype.shape or not stored:
        raise SegappError(
            f"{owner}: Zarr array of {str(stored)[:50]!r}; save integers or floats (objects are never read)."
        )
    return dtype


def read_sizes(found: Any) -> tuple[int, ...]:
    """Return integers of a JSON list; ValueError for anything else."""
    if not isinstance(found, list) or not all(type(each) is int for each in found):
        raise ValueError(f"{str(found)[:50]} are no sizes")
    return tuple(found)


def read_fill(found: Any, dtype: np.dtype[Any]) -> Any:
    """Return the value of chunks that are not stored, of the array's type in the machine's byte order."""
    if isinstance(found, str) and found.startswith("0x"):
        return np.frombuffer(int(found, 16).to_bytes(dtype.itemsize, "little"), dtype.newbyteorder("<"))[0]
    value = FILLS[found] if isinstance(found, str) else 0 if found is None else found
    if not isinstance(value, int | float):
        raise ValueError(f"{str(found)[:50]} fills chunks")
    with np.errstate(over="ignore"):
        return np.array(value, dtype.newbyteorder("="))[()]


def require_separator(found: object) -> str:
    """Return what separates the numbers of a chunk in its name; ValueError for what is none."""
    if found not in (".", "/"):
        raise ValueError(f"{str(found)[:50]!r} separates the numbers of chunks")
    return str(found)


def name_first(found: Any) -> str:
    """Return the name of the first entry of a list of codecs or filters, for messages."""
    first = found[0]
    return str(first.get("id", first.get("name")))[:50]


def _require_bounds(owner: Path, array: ZarrArray) -> None:
    shape, chunks = array.shape, array.chunks
    shown = " x ".join(map(str, shape[:MOST_AXES]))
    if not 2 <= len(shape) <= MOST_AXES or len(chunks) != len(shape) or min(shape) < 1 or prod(shape) > 2**44:
        raise SegappError(
            f"{owner}: Zarr array of {shown or 'no'} values, in chunks of {len(chunks)} axes; it is wrong."
        )
    if min(chunks) < 1 or array.chunk_bytes > LARGEST_CHUNK:
        raise SegappError(
            f"{owner}: Zarr array with chunks of {' x '.join(map(str, chunks))} values; a chunk has 1 … "
            f"{LARGEST_CHUNK:,} bytes. Save it with smaller ones."
        )
    count = prod(ceil(size / chunk) for size, chunk in zip(shape, chunks, strict=True))
    if count > MOST_CHUNKS:
        raise SegappError(
            f"{owner}: Zarr array of {shown} values in {count:,} chunks; at most {MOST_CHUNKS:,} are read. "
            "Save it with larger ones."
        )
