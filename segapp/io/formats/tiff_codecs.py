"""Codecs that store in a tile of a TIFF an image with a header of its own: its size is read before it is decoded.

Decoders allocate what that header says, whatever the size of the tile: a file of a kilobyte could ask for gigabytes.
"""

import struct
from collections.abc import Callable
from pathlib import Path

from segapp.errors import SegappError
from segapp.io.formats.tiff_tags import JPEG

LARGER = 4
"""How many times the pixels of its tile an image may have: some writers pad them."""

REFUSED = frozenset({"JPEGXL", "JPEGXL_DNG", "JPEGXR", "JPEGXR_NDPI", "JETRAW"})
"""Codecs whose size nothing here can read."""

Size = tuple[int, int]


def require_known_codec(path: Path, name: str) -> None:
    """Raise SegappError for a compression whose memory cannot be bounded."""
    if name in REFUSED:
        raise SegappError(
            f"{path}: TIFF compressed by {name}, which segapp does not read; save it with deflate, LZW or zstd."
        )


def has_own_size(name: str) -> bool:
    """Return whether tiles of this compression are images with a header."""
    return name in READERS


def require_fitting_size(path: Path, name: str, data: bytes, size: Size) -> None:
    """Raise SegappError for a tile whose own header says another size, (height, width), than the TIFF says."""
    if name not in READERS:
        return
    try:
        height, width = READERS[name](data)
    except (struct.error, IndexError, ValueError) as error:
        raise SegappError(f"{path}: TIFF with a {name} tile whose header cannot be read; save it again.") from error
    if height * width > LARGER * size[0] * size[1]:
        raise SegappError(
            f"{path}: TIFF whose tiles have {size[0]} x {size[1]} pixels, and one holds a {name} of "
            f"{height} x {width}; it was refused."
        )


def read_jpeg_size(data: bytes) -> Size:
    """Return the height and width of a JPEG stream's frame, found as libjpeg finds it."""
    position = 0
    while True:
        position = data.index(b"\xff", position)
        while data[position] == 0xFF:
            position += 1
        marker, position = data[position], position + 1
        if marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD9:  # a stuffed byte, and markers without content
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            _, height, width = struct.unpack_from(">BHH", data, position + 2)
            return height, width
        if marker == 0xDA:
            raise ValueError("pixels before a frame")
        position += struct.unpack_from(">H", data, position)[0]


def _read_png_size(data: bytes) -> Size:
    width, height = struct.unpack_from(">II", data, 16)
    return height, width


def _read_webp_size(data: bytes) -> Size:
    kind = data[12:16]
    if kind == b"VP8X":
        return int.from_bytes(data[27:30], "little") + 1, int.from_bytes(data[24:27], "little") + 1
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", data, 26)
    return height & 0x3FFF, width & 0x3FFF


def _read_jpeg2000_size(data: bytes) -> Size:
    """Return the largest size of any codestream in it: boxes around the real one may hold others."""
    found: list[Size] = []
    position = data.find(b"\xff\x4f\xff\x51")
    while position >= 0 and len(found) < 100:
        right, bottom, left, top = struct.unpack_from(">IIII", data, position + 8)
        found.append((max(bottom - top, 0), max(right - left, 0)))
        position = data.find(b"\xff\x4f\xff\x51", position + 4)
    return max(found, key=lambda size: size[0] * size[1])


def _read_lerc_size(data: bytes) -> Size:
    if not data.startswith(b"Lerc2 "):
        raise ValueError("compressed twice, or of the first version")
    (version,) = struct.unpack_from("<i", data, 6)
    height, width = struct.unpack_from("<ii", data, 14 if version >= 3 else 10)
    return height, width


READERS: dict[str, Callable[[bytes], Size]] = {
    **dict.fromkeys(JPEG, read_jpeg_size),
    **dict.fromkeys(
        ("JPEG2000", "JPEG_2000_LOSSY", "APERIO_JP2000_YCBC", "APERIO_JP2000_RGB"),
        _read_jpeg2000_size,
    ),
    **dict.fromkeys(("WEBP", "WEBP_DEPRECATED"), _read_webp_size),
    "PNG": _read_png_size,
    "LERC": _read_lerc_size,
}
"""By the name that tifffile gives to a compression."""
