"""Decompress gzip files in bounded time, whatever follows their data."""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

CHUNK = 2**16
"""Compressed bytes that are read at a time."""

MAX_MEMBERS = 2**16
"""Gzip streams in a file, one after the other: bgzip writes one for every 64 KiB."""


def decompress_start(path: Path, count: int, trailing: int = 0) -> bytearray:
    """Return the first `count` decompressed bytes of a gzip file, fewer where there are no more.

    Args:
        path: The file. Zero bytes after its streams are padding, which is not read (`gzip` reads each by itself).
        count: Bytes.
        trailing: Bytes after these that are decompressed too, because a checksum of all follows.

    Raises:
        EOFError: The file ends inside a stream.
        zlib.error: The data are damaged, or have another checksum.
        ValueError: The file has more than `MAX_MEMBERS` streams.
    """
    found = bytearray()
    with path.open("rb") as file:
        for data in _decompress(file, count + trailing):
            found += data[: count - len(found)]
    return found


def _decompress(file: BinaryIO, wanted: int) -> Iterator[bytes]:
    """Yield decompressed data, `wanted` bytes at most."""
    decoder, waiting, members = zlib.decompressobj(wbits=31), b"", 1
    while wanted > 0:
        waiting = waiting or file.read(CHUNK)
        if decoder.eof:
            if not waiting or waiting[0] == 0:
                return
            decoder, members = zlib.decompressobj(wbits=31), members + 1
            if members > MAX_MEMBERS:
                raise ValueError(f"more than {MAX_MEMBERS:,} gzip streams")
        data = decoder.decompress(waiting, wanted)
        if not waiting and not data:
            raise EOFError("the compressed data end too early")
        waiting = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
        wanted -= len(data)
        yield data
