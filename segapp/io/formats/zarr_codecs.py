"""Decompresses chunks of Zarr arrays into no more memory than their metadata says."""

import struct
import zlib
from collections.abc import Callable

import imagecodecs

GZIP, ZLIB = 31, 15
"""What zlib calls the two kinds of header."""

BLOSC_HEADER = struct.Struct("<4x3I")
"""Bytes of the values, of a block, and of the buffer, after four bytes of versions and flags."""

CHECKSUM = 4
"""Bytes of the checksum at the end of a chunk."""


def decompress(data: bytes, codecs: tuple[str, ...], size: int) -> bytes:
    """Return the values of a chunk; ValueError where they are not of this size.

    Args:
        data: The stored bytes.
        codecs: Names of `CODECS`, in the order of decoding; at most one of them compresses.
        size: Bytes of the values. Nothing larger is allocated.
    """
    for codec in codecs:
        data = CODECS[codec](data, size)
    if len(data) != size:
        raise ValueError(f"{len(data):,} bytes of values instead of {size:,}")
    return data


def _decode_blosc(data: bytes, size: int) -> bytes:
    """Return the values of a Blosc buffer, whose decoder believes the sizes in its header, also beyond the buffer."""
    if len(data) < BLOSC_HEADER.size:
        raise ValueError("it ends within its header")
    values, _, stored = BLOSC_HEADER.unpack_from(data)
    if (values, stored) != (size, len(data)):
        raise ValueError(f"{stored:,} bytes of {values:,} are named, and {len(data):,} of {size:,} are there")
    return bytes(imagecodecs.blosc_decode(data, out=size))


def _inflate(data: bytes, size: int, header: int) -> bytes:
    decoder = zlib.decompressobj(header)
    values = decoder.decompress(data, size + 1)
    if not decoder.eof and len(values) <= size:
        raise ValueError("its compressed values end too early")
    return values


def _check_sum(data: bytes, size: int) -> bytes:
    import google_crc32c

    values, stored = data[:-CHECKSUM], data[-CHECKSUM:]
    if google_crc32c.value(values) != int.from_bytes(stored, "little"):
        raise ValueError("its checksum is that of other values")
    return values


CODECS: dict[str, Callable[[bytes, int], bytes]] = {
    "blosc": _decode_blosc,
    "zstd": lambda data, size: bytes(imagecodecs.zstd_decode(data, out=size)),
    "lz4": lambda data, size: bytes(imagecodecs.lz4_decode(data, header=True, out=size)),
    "zlib": lambda data, size: _inflate(data, size, ZLIB),
    "gzip": lambda data, size: _inflate(data, size, GZIP),
    "crc32c": _check_sum,
}
"""Codecs by their names in Zarr's metadata."""

COMPRESSORS = tuple(name for name in CODECS if name != "crc32c")
"""Those to save with: the other is a checksum."""
