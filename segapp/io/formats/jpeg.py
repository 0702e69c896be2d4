"""JPEG, whose values are not those that were saved."""

from pathlib import Path

import numpy as np
import PIL.Image

from segapp.errors import SegappError
from segapp.io.file_part import FilePart
from segapp.io.formats.pillow import PillowFormat

MAX_SCANS = 100
"""Passes over a JPEG's pixels, each as long as decoding the image once; progressive ones have some ten."""


class Jpeg(PillowFormat):
    """JPEG (ISO/IEC 10918); of several images in a file (MPO) the first: the others are previews."""

    name = plugin = "JPEG"
    suffixes = (".jpg", ".jpeg")
    magic = (b"\xff\xd8\xff",)
    writes_images = True

    def write_image(self, path: Path, pixels: np.ndarray) -> None:
        """Write (H, W) or (H, W, 3) uint8 with quality 75."""
        PIL.Image.fromarray(pixels).save(path, format="JPEG")

    def _find_lossy_codec(self, file: FilePart) -> str:
        return "JPEG"

    def _decode(self, file: FilePart) -> np.ndarray:
        scans = file.path.read_bytes().count(b"\xff\xda")  # the mark of one; between pixels it does not occur
        if scans > MAX_SCANS:
            raise SegappError(f"{file}: JPEG of {scans:,} scans, of which {MAX_SCANS} at most are read; save it again.")
        return super()._decode(file)
