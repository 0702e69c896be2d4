"""PNG files that no library writes: other depths, and headers that do not fit."""

import struct
import zlib

import numpy as np

ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
"""Row, column and steps of the passes of an interlaced PNG."""


def encode_interlaced(depth: int, kind: int, pixels: np.ndarray) -> bytes:
    """Return an interlaced PNG of (H, W, C) uint8 or uint16."""
    stored = pixels.astype(pixels.dtype.newbyteorder(">"))
    rows = [row.tobytes() for y, x, dy, dx in ADAM7 for row in stored[y::dy, x::dx] if row.size]
    return encode_png(depth, kind, rows, pixels.shape[1], pixels.shape[0], is_interlaced=True)


def encode_png(
    depth: int, kind: int, rows: list[bytes], width: int, height: int | None = None, is_interlaced: bool = False
) -> bytes:
    """Return a PNG of packed `rows`, of a bit depth and kind of colour."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height or len(rows), depth, kind, 0, 0, is_interlaced)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
