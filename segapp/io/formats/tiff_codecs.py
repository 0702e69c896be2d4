"""Codecs whose tiles in a TIFF are images with their own header: their size is read before they are decoded.

Decoders allocate the size in that header, not that of the tile: a file of a kilobyte could ask for gigabytes.
"""

import struct
from collections.abc import Callable
from pathlib import Path

from segapp.errors import SegappError
from segapp.io.formats.embedded_sizes import (
    Size,
    read_jpeg2000_size,
    read_jpeg_size,
    read_lerc_size,
    read_png_size,
    read_webp_size,
)
from segapp.io.formats.format import MAX_DECODED_PIXELS
from segapp.io.formats.jpeg import MAX_SCANS, SCAN
from segapp.io.formats.tiff_tags import JPEG

LARGER = 4
"""How many times the pixels of its tile an image may have: some writers pad them."""

REFUSED = frozenset({"JPEGXL", "JPEGXL_DNG", "JPEGXR", "JPEGXR_NDPI", "JETRAW"})
"""Codecs whose size nothing here can read."""


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
    if name in JPEG and (scans := data.count(SCAN)) > MAX_SCANS:
        raise SegappError(f"{path}: TIFF with a JPEG tile of {scans:,} scans; at most {MAX_SCANS} are read.")
    if height * width > min(LARGER * size[0] * size[1], MAX_DECODED_PIXELS):
        raise SegappError(
            f"{path}: TIFF whose tiles have {size[0]} x {size[1]} pixels, and one holds a {name} of "
            f"{height} x {width}; save it again."
        )


READERS: dict[str, Callable[[bytes], Size]] = {
    **dict.fromkeys(JPEG, read_jpeg_size),
    **dict.fromkeys(
        ("JPEG2000", "JPEG_2000_LOSSY", "APERIO_JP2000_YCBC", "APERIO_JP2000_RGB"),
        read_jpeg2000_size,
    ),
    **dict.fromkeys(("WEBP", "WEBP_DEPRECATED"), read_webp_size),
    "PNG": read_png_size,
    "LERC": read_lerc_size,
}
"""By the name that tifffile gives to a compression."""
