"""Decompress gzip files in bounded time, whatever follows their data."""

import zlib
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from zlib import _Decompress

CHUNK = 2**16
"""Compressed bytes that are read at a time."""

MAX_MEMBERS = 2**16
"""Gzip streams in a file, one after the other: bgzip writes one for every 64 KiB."""

MOST_BLOCKS, LEAST_BLOCK = 32, 2**20
"""Blocks of a file at most, whose starts keep 40 kB each, and bytes of a block at least."""


@dataclass(frozen=True)
class Start:
    """A place in a gzip file where decompression can begin."""

    position: int
    """Decompressed bytes before it."""
    offset: int
    """Compressed bytes before it."""
    decoder: "_Decompress"
    """In the state that it has here; copied before it is used."""


class GzipBlocks:
    """The blocks of a gzip file, each decompressed without those before it once all were decompressed together."""

    def __init__(self) -> None:
        self._starts: list[Start] = []
        self._end = 0

    def decompress_all(self, path: Path, count: int, trailing: int = 0) -> bytearray:
        """Return what `decompress_start` returns, and remember where blocks start."""
        size = max(LEAST_BLOCK, -(-count // MOST_BLOCKS))
        found = bytearray()
        starts: list[Start] = []
        with path.open("rb") as file:
            stream = _Stream(file)
            while len(found) < count:
                if len(found) == size * len(starts):
                    starts.append(stream.mark(len(found)))
                data = stream.read(min(count, len(found) - len(found) % size + size) - len(found))
                if not data and stream.is_at_end:
                    break
                found += data
            for _ in stream.read_all(trailing):
                pass
        self._end = len(found)
        self._starts = starts
        return found

    def find_blocks(self, first: int, last: int) -> range:
        """Return the numbers of the blocks that hold the bytes from `first` to `last`; empty where none are known."""
        if not self._starts or last > self._end:
            return range(0)
        positions = [start.position for start in self._starts]
        return range(bisect_right(positions, first) - 1, bisect_right(positions, last - 1))

    def get_position(self, number: int) -> int:
        """Return the decompressed bytes before a block."""
        return self._starts[number].position

    def read_block(self, path: Path, number: int) -> bytes:
        """Return one block, decompressed."""
        start = self._starts[number]
        end = self._starts[number + 1].position if number + 1 < len(self._starts) else self._end
        with path.open("rb") as file:
            file.seek(start.offset)
            return b"".join(_Stream(file, start.decoder.copy()).read_all(end - start.position))


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
        for data in _Stream(file).read_all(count + trailing):
            found += data[: count - len(found)]
    return found


class _Stream:
    """The streams of a gzip file one after the other, from where the file and the decoder are."""

    def __init__(self, file: BinaryIO, decoder: "_Decompress | None" = None) -> None:
        self._file, self._decoder, self._waiting, self._members = file, decoder or _make_decoder(), b"", 1
        self.is_at_end = False

    def mark(self, position: int) -> Start:
        """Return the place that is reached, so many decompressed bytes from the file's start."""
        return Start(position, self._file.tell() - len(self._waiting), self._decoder.copy())

    def read_all(self, wanted: int) -> Iterator[bytes]:
        """Yield decompressed data, `wanted` bytes at most."""
        while wanted > 0 and not self.is_at_end:
            data = self.read(wanted)
            wanted -= len(data)
            yield data

    def read(self, wanted: int) -> bytes:
        """Return some of the next `wanted` decompressed bytes, perhaps none."""
        self._waiting = self._waiting or self._file.read(CHUNK)
        if self._decoder.eof:
            self.is_at_end = not self._waiting or self._waiting[0] == 0
            if self.is_at_end:
                return b""
            self._decoder, self._members = _make_decoder(), self._members + 1
            if self._members > MAX_MEMBERS:
                raise ValueError(f"more than {MAX_MEMBERS:,} gzip streams")
        data = self._decoder.decompress(self._waiting, wanted)
        if not self._waiting and not data:
            raise EOFError("the compressed data end too early")
        self._waiting = self._decoder.unused_data if self._decoder.eof else self._decoder.unconsumed_tail
        return data


def _make_decoder() -> "_Decompress":
    return zlib.decompressobj(wbits=31)
