"""Bounds on what a file may cost beyond its pixels: bytes, blocks and metadata that make a decoder work for nothing."""

import io
import math
from pathlib import Path
from typing import TYPE_CHECKING

from segapp.errors import SegappError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

METADATA = 2**26
"""Bytes of a file beside its pixels: colour profiles, previews, the video of a motion photo."""

STORED = 2
"""Bytes of a file for each byte of its pixels: no codec needs more than 1.5 for pixels that do not compress."""

OPENING = 2**24
"""Bytes that are read before the first pixel."""

LONGEST_EXIF = 2**17
"""Bytes of EXIF: entries may share them, and a decoder copies them for each entry."""

READS, READ = 100_000, 100
"""Times a decoder may ask for bytes, and bytes for which it may ask once more: GIF has blocks of 256, read in two."""


MAX_BANDS = 64
"""Bands per pixel; every one costs memory, however short the file is. In LERC also those of all blobs."""


class BoundedReader(io.BufferedReader):
    """A file that can be read so many times only.

    Decoders walk the chunks, boxes and segments of a file in Python, some microseconds each. A file of millions of
    empty ones took minutes.
    """

    def __init__(self, path: Path, name: str, opening: int = OPENING, reads: int | None = None) -> None:
        """Open a file.

        Args:
            path: The file.
            name: Its format, for messages.
            opening: Bytes that may be read until `allow_pixels` is called.
            reads: Times that it may be read; default: by its size.
        """
        super().__init__(io.FileIO(path))
        self._path, self._format = path, name
        self._size = path.stat().st_size
        self._reads = READS + self._size // READ if reads is None else reads
        self._bytes: int | None = opening

    def __repr__(self) -> str:
        return str(self._path)  # decoders put it into their messages

    def read(self, size: int | None = -1, /) -> bytes:
        """Read so many bytes; raise SegappError where the file makes its decoder read too often or too much."""
        self._count(size)
        return super().read(size)

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Read into an array; raise SegappError as `read` does."""
        self._count(memoryview(buffer).nbytes)
        return super().readinto(buffer)

    def _count(self, size: int | None) -> None:
        self._reads -= 1
        if self._reads < 0:
            raise SegappError(f"{self._path}: {self._format} with too many small blocks; save the image again.")
        if self._bytes is not None:
            left = max(self._size - self.tell(), 0)
            self._bytes -= left if size is None or size < 0 else min(size, left)
            if self._bytes < 0:
                raise SegappError(
                    f"{self._path}: {self._format} with too much data before its pixels; save the image again."
                )

    def allow_pixels(self) -> None:
        """Read as many bytes as there are from now on."""
        self._bytes = None


def require_fitting_bytes(path: Path, name: str, found: int, shape: tuple[int, int, int]) -> None:
    """Raise SegappError for a file of many more bytes than its pixels take; decoders would read it whole.

    Args:
        path: The file.
        name: Its format, for messages.
        found: Its bytes.
        shape: Height, width, and bytes of a pixel.
    """
    if found > (most := METADATA + STORED * math.prod(shape)):
        raise SegappError(
            f"{path}: {found:,} bytes for {name} of {shape[0]} x {shape[1]} pixels; at most {most:,} are read. "
            "Save the image again, without previews and profiles."
        )


def require_short_exif(path: Path, length: int) -> None:
    """Raise SegappError for more EXIF than cameras write."""
    if length > LONGEST_EXIF:
        raise SegappError(
            f"{path}: {length:,} bytes of EXIF; at most {LONGEST_EXIF:,} are read. Save the image without EXIF."
        )


def require_few_bands(bands: int) -> None:
    """Raise ValueError for more bands than `MAX_BANDS`."""
    if bands > MAX_BANDS:
        raise ValueError("too many bands")
