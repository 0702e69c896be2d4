"""The base class of formats that Pillow decodes: always the whole image, to 8 or 16 bits."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import PIL.Image

from segapp.errors import SegappError
from segapp.io.file_part import FilePart
from segapp.io.formats.bounds import BoundedReader, require_fitting_bytes, require_short_exif
from segapp.io.formats.format import Format
from segapp.io.header import Header, Window

# Pillow warns at 89 and fails at 179 million pixels, with words meant for web servers; `Format.max_pixels` is
# checked instead, from the same header and before anything is decoded.
PIL.Image.MAX_IMAGE_PIXELS = None

BANDS = {"1": 1, "L": 1, "P": 1, "LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 3, "I;16": 1, "I": 1}
EXIF_ORIENTATION = 0x0112

RGBA = 4
"""Bytes of a pixel of 8 bits, at most."""


class PillowFormat(Format):
    """A format that Pillow reads; what is special about one overrides a method."""

    plugin: ClassVar[str]
    """Pillow's name of the format: no other decoder is tried."""

    def read_header(self, file: FilePart) -> Header:
        """Return the image's header; no pixel is decoded."""
        with self._open(file) as image:
            if image.mode not in BANDS:
                raise SegappError(f"{file}: {self.name} with pixels of kind {image.mode} is not supported.")
            self._check(file, image)
            require_short_exif(file.path, _measure_exif(image))
            depth = self._read_depth(file, image)
            bands = self._count_bands(file, image)
            return Header(
                format=self.name,
                height=image.height,
                width=image.width,
                bands=bands,
                dtype=np.dtype(np.uint16 if depth > 8 else np.uint8),
                white=self._find_white(image, depth),
                alpha=bands - 1 if bands in (2, 4) else None,
                palette=_read_palette(image) if image.mode == "P" else None,
                transparent=_read_transparent_colour(image),
                lossy=self._find_lossy_codec(file),
                orientation=_read_orientation(image),
                meta=_read_resolution(image),
            )

    def read_window(self, file: FilePart, header: Header, window: Window) -> np.ndarray:
        """Return (H, W, C) uint8 or uint16 as stored: palette indices kept, orientation not applied."""
        y, x, h, w = window
        if header.dtype == np.uint16:
            pixels = self._decode_wide(file).reshape(header.height, header.width, -1)
            pixels = pixels[..., : header.bands]  # a transparent colour comes back as one band more
        else:
            pixels = self._decode(file)
            if header.palette is None and header.white in (3, 15):  # Pillow stretches 2 and 4 bits to 0 … 255
                pixels = pixels // (255 // header.white)
        pixels = pixels.astype(header.dtype, copy=False).reshape(header.height, header.width, header.bands)
        return pixels[y : y + h, x : x + w]

    @contextmanager
    def _open(self, file: FilePart) -> Iterator[PIL.Image.Image]:
        with BoundedReader(file.path, self.name) as stream:
            self._prepare(file, stream)
            with PIL.Image.open(stream, formats=(self.plugin,)) as image:
                stream.allow_pixels()
                yield image

    def _prepare(self, file: FilePart, stream: BoundedReader) -> None:
        """Raise SegappError for a file that Pillow should not open; `stream` stays at its beginning."""

    def _require_affordable(self, file: FilePart, height: int, width: int) -> None:
        """Raise SegappError for a file whose bytes, or whose canvas, would take Pillow too much memory."""
        if height * width > self.max_pixels:
            raise SegappError(
                f"{file}: {self.name} of {height} x {width} pixels; at most {self.max_pixels:,} are read."
            )
        require_fitting_bytes(file.path, self.name, file.path.stat().st_size, (height, width, RGBA))

    def _refuse_animation(self, file: FilePart, image: PIL.Image.Image) -> None:
        if getattr(image, "is_animated", False):
            raise SegappError(f"{file}: an animated {self.name} is a stack, not one image; save each frame as a file.")

    def _check(self, file: FilePart, image: PIL.Image.Image) -> None:
        """Raise SegappError for a file that Pillow opens and that is not one image."""

    def _read_depth(self, file: FilePart, image: PIL.Image.Image) -> int:
        """Return the bits of a stored value."""
        return 8

    def _find_white(self, image: PIL.Image.Image, depth: int) -> int:
        """Return the largest value of a uint8 file."""
        if image.mode == "1":
            return 1
        return 2**depth - 1 if image.mode == "L" and depth in (2, 4) else 255

    def _count_bands(self, file: FilePart, image: PIL.Image.Image) -> int:
        return BANDS[image.mode]

    def _find_lossy_codec(self, file: FilePart) -> str | None:
        """Return the name of the codec if it changes values."""
        return None

    def _decode(self, file: FilePart) -> np.ndarray:
        with self._open(file) as image:
            return np.asarray(image.convert("RGB") if image.mode == "CMYK" else image)

    def _decode_wide(self, file: FilePart) -> np.ndarray:
        """Return the pixels of a file of more than 8 bits, which Pillow would reduce to 8 without saying so."""
        raise NotImplementedError(self.name)


def _read_transparent_colour(file: PIL.Image.Image) -> tuple[int, ...] | None:
    """Return the transparent colour of a file without palette or alpha, in stored values."""
    key = file.info.get("transparency")
    if key is None or file.mode not in ("1", "L", "I", "I;16", "RGB"):
        return None
    if isinstance(key, tuple):
        return key
    return (int(key > 0),) if file.mode == "1" else (int(key),)


def _read_palette(file: PIL.Image.Image) -> np.ndarray:
    """Return (256, 3) or (256, 4) uint8; entries the file does not define are black and opaque."""
    palette = np.zeros((256, 4), np.uint8)
    palette[:, 3] = 255
    holder = PIL.Image.new("P", (1, 1))  # not the image's own `getpalette`, which decodes all its pixels first
    if file.palette is not None:
        rawmode, stored = file.palette.getdata()
        holder.putpalette(stored, rawmode)
    colours = np.array(holder.getpalette("RGB"), np.uint8).reshape(-1, 3)[:256]
    palette[: len(colours), :3] = colours
    transparency = file.info.get("transparency")
    if transparency is None:
        return palette[:, :3]
    if isinstance(transparency, int):
        palette[transparency, 3] = 0
    else:
        palette[: len(transparency), 3] = np.frombuffer(transparency, np.uint8)[:256]
    return palette


def _measure_exif(file: PIL.Image.Image) -> int:
    """Return the bytes of EXIF data, also where a PNG's text holds them in hexadecimal digits."""
    return max(len(file.info.get("exif") or b""), len(file.info.get("Raw profile type exif") or "") // 2)


def _read_orientation(file: PIL.Image.Image) -> int:
    try:
        # Not `file.getexif()`: for a PNG without EXIF that one decodes all pixels to look behind them.
        orientation = PIL.Image.Image.getexif(file).get(EXIF_ORIENTATION, 1)
    except (SyntaxError, ValueError, KeyError, OSError):  # broken EXIF is ignored; the pixels may be complete
        return 1
    return orientation if orientation in range(1, 9) else 1


def _read_resolution(file: PIL.Image.Image) -> dict[str, Any]:
    dpi = file.info.get("dpi")
    return {"resolution": (float(dpi[1]), float(dpi[0]), "inch")} if dpi else {}
