"""PNG files that no library writes: other depths, and headers that do not fit."""

import struct
import zlib


def encode_png(depth: int, kind: int, rows: list[bytes], width: int) -> bytes:
    """Return a PNG of packed `rows`, of a bit depth and kind of colour."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, len(rows), depth, kind, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
