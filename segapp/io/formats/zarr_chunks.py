"""Reads boxes of Zarr arrays: only the chunks under them are decoded, and the last ones are kept.

The zarr library does not bound what a chunk decompresses to, follows links, and reads in a thread of its own, so it is
used for writing alone.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import product
from math import prod
from pathlib import Path

import numpy as np

from segapp.errors import SegappError
from segapp.io.formats.tile_cache import TileCache
from segapp.io.formats.zarr_array import LARGEST_CHUNK, Shards, ZarrArray
from segapp.io.formats.zarr_codecs import decompress
from segapp.io.formats.zarr_files import open_inner, read_inner_stamp

CHUNKS = TileCache(LARGEST_CHUNK)
"""Decoded chunks and indices of shards, in each process."""

SMALL = 2**10
"""Bytes of a chunk below which it is decoded again: keeping it takes more."""

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
    part = (0, stamp[1])
    if array.shards is not None:
        index = CHUNKS.get((array.path, name, stamp), partial(_read_index, array, array.shards, name))
        offset, size = map(int, index[tuple(number % count for number, count in zip(numbers, counts, strict=True))])
        if offset == size == MISSING:
            return None
        part = (offset, size)
    decode = partial(_decode_chunk, array, name, part)
    if array.chunk_bytes < SMALL:
        return decode()
    return CHUNKS.get((array.path, array.chunks, array.dtype, name, part, stamp), decode)


def _decode_chunk(array: ZarrArray, name: str, part: tuple[int, int]) -> np.ndarray:
    """Return the values of a chunk, which is so many bytes of a file from an offset."""
    with _explain_errors(array, name):
        offset, size = part
        if size > array.chunk_bytes + array.chunk_bytes // 64 + LARGER or offset > LARGEST_SHARD:
            raise ValueError(f"{size:,} bytes at {offset:,} for {array.chunk_bytes:,} bytes of values")
        data = _read_bytes(array, name, offset, size)
        values = np.frombuffer(decompress(data, array.codecs, array.chunk_bytes), array.dtype)
    stored = values.reshape([array.chunks[axis] for axis in array.order])
    return np.array(stored.transpose(np.argsort(array.order)), array.dtype.newbyteorder("="), order="C")


def _read_index(array: ZarrArray, shards: Shards, name: str) -> np.ndarray:
    """Return offset and bytes of every chunk in a file of several."""
    with _explain_errors(array, name):
        length = 16 * prod(shards.chunks)
        stored = length + 4 * len(shards.codecs)
        data = _read_bytes(array, name, 0 if shards.is_first else -stored, stored)
        return np.frombuffer(decompress(data, shards.codecs, length), "<u8").reshape(*shards.chunks, 2)


def _read_bytes(array: ZarrArray, name: str, offset: int, size: int) -> bytes:
    """Return bytes of a file from an offset, a negative one from its end."""
    with open_inner(array.store, name, LARGEST_SHARD) as file:
        if file is None:
            raise ValueError("it was removed meanwhile")
        file.seek(offset, os.SEEK_SET if offset >= 0 else os.SEEK_END)
        return file.read(size)


@contextmanager
def _explain_errors(array: ZarrArray, name: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, RuntimeError, OSError) as error:  # imagecodecs' own errors are RuntimeErrors
        raise SegappError(f"{array.store / name}: a broken or truncated chunk of an OME-Zarr ({error}).") from error
