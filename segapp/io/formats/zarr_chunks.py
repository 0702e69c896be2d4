"""Reads boxes of Zarr arrays: only the chunks under them are decoded, and the last ones are kept.

The zarr library does not bound what a chunk decompresses to, follows links, and reads in a thread of its own, so it is
used for writing alone.
"""

import os
from collections.abc import Sequence
from functools import partial
from itertools import product
from math import prod
from pathlib import Path

import numpy as np

from segapp.errors import SegappError
from segapp.io.formats.volume_cache import VolumeCache
from segapp.io.formats.zarr_array import ZarrArray
from segapp.io.formats.zarr_codecs import decompress
from segapp.io.formats.zarr_files import open_inner, read_inner_stamp

CHUNKS = VolumeCache(2**27)
"""Decoded chunks, in each process, and always the last one."""

LARGER = 2**16
"""Bytes by which a chunk that cannot be compressed may be larger than its values."""

LARGEST_SHARD = 2**40
"""Bytes of a file of several chunks, of which single ones are read."""

MISSING = 2**64 - 1
"""Both numbers of a chunk that is not in a shard."""

EMPTY_FROM, EMPTY = 2**30, 4096
"""Values from which an array must have a byte for so many of them; one with less was made to waste time."""


def read_box(array: ZarrArray, box: Sequence[slice]) -> np.ndarray:
    """Return the values of a box, a slice for each axis, in the machine's byte order; raise SegappError."""
    values = np.full([each.stop - each.start for each in box], array.fill, array.dtype.newbyteorder("="))
    reach = [range(a.start // chunk, -(-a.stop // chunk)) for a, chunk in zip(box, array.chunks, strict=True)]
    for numbers in product(*reach):
        chunk = _get_chunk(array, numbers)
        if chunk is None:
            continue
        inside, outside = [], []
        for number, size, wanted in zip(numbers, array.chunks, box, strict=True):
            start, stop = max(wanted.start, number * size), min(wanted.stop, (number + 1) * size)
            inside.append(slice(start - number * size, stop - number * size))
            outside.append(slice(start - wanted.start, stop - wanted.start))
        values[tuple(outside)] = chunk[tuple(inside)]
    return values


def require_stored(array: ZarrArray) -> None:
    """Raise SegappError for a huge array of which nearly nothing is stored."""
    needed = prod(array.shape) // EMPTY
    if prod(array.shape) <= EMPTY_FROM:
        return
    found = 0
    for folder, _, names in os.walk(array.path):
        for name in names:
            found += (Path(folder) / name).lstat().st_size
            if found >= needed:
                return
    raise SegappError(
        f"{array.path}: Zarr array of {' x '.join(map(str, array.shape))} values with only {found:,} bytes of data; "
        "save only the part that has data."
    )


def _get_chunk(array: ZarrArray, numbers: tuple[int, ...]) -> np.ndarray | None:
    """Return the values of a chunk; None where it is not stored."""
    counts = (1,) * len(numbers) if array.shards is None else array.shards.chunks
    name = array.name_file([number // count for number, count in zip(numbers, counts, strict=True)])
    stamp = read_inner_stamp(array.store, name)
    if stamp is None:
        return None
    place = tuple(number % count for number, count in zip(numbers, counts, strict=True))
    values = CHUNKS.get(
        (array.path, array.chunks, array.dtype, name, place, stamp), partial(_decode_chunk, array, name, place)
    )
    return values if values.size else None


def _decode_chunk(array: ZarrArray, name: str, place: tuple[int, ...]) -> np.ndarray:
    """Return the values of a chunk; an empty array where it is not in its shard."""
    try:
        data = _read_file(array, name) if array.shards is None else _read_shard(array, name, place)
        if data is None:
            return np.zeros(0)
        values = np.frombuffer(decompress(data, array.codecs, array.chunk_bytes), array.dtype)
    except SegappError:
        raise
    except (ValueError, RuntimeError, OSError) as error:  # imagecodecs' own errors are RuntimeErrors
        raise SegappError(f"{array.store / name}: a broken or truncated chunk of an OME-Zarr ({error}).") from error
    stored = values.reshape([array.chunks[axis] for axis in array.order])
    return np.array(stored.transpose(np.argsort(array.order)), array.dtype.newbyteorder("="), order="C")


def _read_file(array: ZarrArray, name: str) -> bytes | None:
    with open_inner(array.store, name, array.chunk_bytes + array.chunk_bytes // 64 + LARGER) as file:
        return None if file is None else file.read()


def _read_shard(array: ZarrArray, name: str, place: tuple[int, ...]) -> bytes | None:
    """Return the bytes of a chunk in a file of several; None where it is not stored."""
    shards = array.shards
    if shards is None:
        raise ValueError("its chunks have files of their own")
    with open_inner(array.store, name, LARGEST_SHARD) as file:
        if file is None:
            return None
        length = 16 * prod(shards.chunks)
        stored = length + 4 * len(shards.codecs)
        file.seek(0 if shards.is_first else -stored, os.SEEK_SET if shards.is_first else os.SEEK_END)
        index = np.frombuffer(decompress(file.read(stored), shards.codecs, length), "<u8")
        offset, size = map(int, index.reshape(*shards.chunks, 2)[place])
        if offset == size == MISSING:
            return None
        if size > array.chunk_bytes + array.chunk_bytes // 64 + LARGER or offset > LARGEST_SHARD:
            raise ValueError(f"its index names {size:,} bytes at {offset:,}")
        file.seek(offset)
        return file.read(size)
