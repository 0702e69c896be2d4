"""AVIF of one image: images of telephones and of the web."""

import struct
from collections.abc import Iterator

import numpy as np
import PIL.Image

from segapp.io.file_part import FilePart
from segapp.io.formats.bounds import BoundedReader
from segapp.io.formats.pillow import PillowFormat

BRANDS = (b"avif", b"avis", b"mif1", b"msf1")
PROPERTIES = 2**20
"""First bytes of a file, in which its sizes and depths are looked for."""


class Avif(PillowFormat):
    """AV1 Image File Format: 8, 10 or 12 bits, always lossy here, because no file says that it is not."""

    name = plugin = "AVIF"
    suffixes = (".avif",)
    magic = tuple(bytes(3) + bytes([length]) + b"ftyp" + brand for brand in BRANDS for length in range(16, 64, 4))
    max_pixels = 2**27  # the decoder holds planes, and the colours that are made of them

    def _prepare(self, file: FilePart, stream: BoundedReader) -> None:
        self._require_affordable(file, *_find_largest_size(stream.read(PROPERTIES)))
        stream.allow_pixels()  # Pillow reads all of it to find the size
        stream.seek(0)

    def _check(self, file: FilePart, image: PIL.Image.Image) -> None:
        self._refuse_animation(file, image)

    def _read_depth(self, file: FilePart, image: PIL.Image.Image) -> int:
        with file.path.open("rb") as stream:
            return max(_list_depths(stream.read(PROPERTIES)), default=8)

    def _find_lossy_codec(self, file: FilePart) -> str:
        return "AVIF"

    def _decode_wide(self, file: FilePart) -> np.ndarray:
        import imagecodecs  # Pillow reduces it to 8 bits

        return np.asarray(imagecodecs.avif_decode(file.path.read_bytes()))


def _find_largest_size(start: bytes) -> tuple[int, int]:
    """Return height and width of the largest image that the properties (`ispe`) name; 0, 0 without any."""
    sizes = [struct.unpack_from(">II", start, place + 8) for place in _find_boxes(start, b"ispe", 16)]
    return max(((height, width) for width, height in sizes), key=lambda size: size[0] * size[1], default=(0, 0))


def _list_depths(start: bytes) -> Iterator[int]:
    """Yield the bits of a value of every stream that the properties (`av1C`) describe."""
    for place in _find_boxes(start, b"av1C", 8):
        flags = start[place + 6]
        if flags & 0x40:
            yield 12 if flags & 0x20 else 10
        else:
            yield 8


def _find_boxes(start: bytes, name: bytes, length: int) -> Iterator[int]:
    """Yield where boxes of a name begin that have so many bytes from their name on."""
    place = start.find(name)
    while 0 <= place <= len(start) - length:
        yield place
        place = start.find(name, place + 4)
