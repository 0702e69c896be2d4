"""PNG: 1 to 16 bits, and the masks of all images whose own format cannot hold them."""

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import PIL.Image

from segapp.batch import IGNORE_INDEX
from segapp.io.file_part import FilePart
from segapp.io.formats.format import MaskLayout
from segapp.io.formats.mask_palette import fill_palette
from segapp.io.formats.pillow import PillowFormat

DEPTH, KIND, INTERLACE, HEAD = 24, 25, 28, 29  # bytes of the file's first chunk
PIXELS, TRANSPARENT = b"IDAT", b"tRNS"  # chunks
SAMPLES = {0: 1, 2: 3, 4: 2, 6: 4}
"""Values of a pixel by the kind of colour."""

# Remarks of libpng on colour profiles and interlacing, one for each file; what it cannot decode is raised.
logging.getLogger("imagecodecs").addFilter(lambda record: not record.getMessage().startswith("PNG warning"))


class Png(PillowFormat):
    """Portable Network Graphics (ISO/IEC 15948)."""

    name = plugin = "PNG"
    suffixes = (".png",)
    magic = (b"\x89PNG",)
    writes_images = True
    writes_masks = True

    def write_image(self, path: Path, pixels: np.ndarray) -> None:
        """Write (H, W) or (H, W, 3) uint8."""
        PIL.Image.fromarray(pixels).save(path, format="PNG")

    def write_masks(self, path: Path, masks: Mapping[str, np.ndarray], layout: MaskLayout) -> None:
        """Write one mask, with its colours as a palette that has no more entries than needed."""
        (mask,) = masks.values()
        image = PIL.Image.fromarray(mask)
        if layout.palette is not None:
            entries = 256 if (mask == IGNORE_INDEX).any() else len(layout.palette)
            image.putpalette(fill_palette(layout.palette)[:entries].tobytes())
        image.save(path, format="PNG")

    def _read_depth(self, file: FilePart, image: PIL.Image.Image) -> int:
        return _read_head(file.path)[DEPTH]

    def _count_bands(self, file: FilePart, image: PIL.Image.Image) -> int:
        head = _read_head(file.path)
        return SAMPLES[head[KIND]] if head[DEPTH] == 16 else super()._count_bands(file, image)

    def _decode(self, file: FilePart) -> np.ndarray:
        data = file.path.read_bytes()
        is_plain = data[DEPTH] == 8 and data[KIND] in SAMPLES and not data[INTERLACE]
        if is_plain and TRANSPARENT not in data[: data.find(PIXELS)]:
            return _decode_fast(data)
        # Palettes and a transparent colour, which the other decoder turns into bands, and interlaced files.
        return super()._decode(file)

    def _decode_wide(self, file: FilePart) -> np.ndarray:
        return _decode_fast(file.path.read_bytes())


def _decode_fast(data: bytes) -> np.ndarray:
    """Decode in three quarters of Pillow's time."""
    import imagecodecs  # here, so that other images do not wait for it

    return np.asarray(imagecodecs.png_decode(data))


def _read_head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD)
