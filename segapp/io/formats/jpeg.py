"""JPEG, lossy: pixel values change when they are saved."""

import re
from itertools import islice
from mmap import ACCESS_READ, mmap
from pathlib import Path

import numpy as np
import PIL.Image

from segapp.errors import SegappError
from segapp.io.file_part import FilePart
from segapp.io.formats.bounds import OPENING, BoundedReader, require_short_exif
from segapp.io.formats.embedded_sizes import walk_jpeg
from segapp.io.formats.pillow import PillowFormat

MAX_SCANS = 100
"""Passes over a JPEG's pixels, each as long as decoding the image once; progressive ones have some ten."""

SCAN = b"\xff\xda"
"""The marker of a scan; between pixels it does not occur."""

SCANS = re.compile(SCAN)

END = b"\xff\xd9"
"""The marker behind the last scan."""

FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""The markers of what says how large an image is."""

MAX_SEGMENTS = 10_000
"""Markers before the pixels, with tables or metadata of up to 64 KiB each."""

APP1 = 0xE1
"""The marker of EXIF, and of other metadata."""


class Jpeg(PillowFormat):
    """JPEG (ISO/IEC 10918); of several images in a file (MPO) the first: the others are previews."""

    name = plugin = "JPEG"
    suffixes = (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo")
    magic = (b"\xff\xd8\xff",)
    writes_images = True

    def write_image(self, path: Path, pixels: np.ndarray) -> None:
        """Write (H, W) or (H, W, 3) uint8 with quality 75."""
        PIL.Image.fromarray(pixels).save(path, format="JPEG")

    def _prepare(self, file: FilePart, stream: BoundedReader) -> None:
        _check_exif(file.path)  # before Pillow looks for the resolution in it

    def _find_lossy_codec(self, file: FilePart) -> str:
        return "JPEG"

    def _decode(self, file: FilePart) -> np.ndarray:
        data = file.path.read_bytes()
        if _has_many_scans(data):
            scans = data.count(SCAN)
            raise SegappError(f"{file}: JPEG with {scans:,} scans; at most {MAX_SCANS} are read. Save the image again.")
        if _is_complete(data) and _count_components(data) in (1, 3):
            import imagecodecs  # here, so that other images do not wait for it

            return np.asarray(imagecodecs.jpeg8_decode(data))  # in two thirds of Pillow's time
        return super()._decode(file)  # which reports that a file is truncated, and knows the kinds of CMYK


def _has_many_scans(data: bytes) -> bool:
    """Return whether there are more than `MAX_SCANS`; a regular expression finds them in half of `count`'s time."""
    return sum(1 for _ in islice(SCANS.finditer(data), MAX_SCANS + 1)) > MAX_SCANS


def _is_complete(data: bytes) -> bool:
    """Return whether a JPEG ends: what is missing of one that does not, the faster decoder leaves grey."""
    end = data.rfind(END)  # found at once, where the search for the last scan passes all pixels
    return end >= 0 and data.find(SCAN, end) < 0


def _count_components(data: bytes) -> int:
    """Return the components of a pixel of 8 bits: 1 grey, 3 colour; 0 where the file says nothing of the kind."""
    frames = (place for marker, place in walk_jpeg(data) if marker in FRAMES)
    place = next(frames, len(data))
    return data[place + 7] if data[place + 2 : place + 3] == b"\x08" and place + 7 < len(data) else 0


def _check_exif(path: Path) -> None:
    with path.open("rb") as file, mmap(file.fileno(), min(path.stat().st_size, OPENING), access=ACCESS_READ) as data:
        lengths = 0
        for count, (marker, place) in enumerate(walk_jpeg(data)):
            if count == MAX_SEGMENTS:
                raise SegappError(f"{path}: more than {MAX_SEGMENTS:,} JPEG segments before the pixels; save it again.")
            if marker == APP1 and data[place + 2 : place + 8] == b"Exif\0\0":
                lengths += int.from_bytes(data[place : place + 2])
    require_short_exif(path, lengths)
