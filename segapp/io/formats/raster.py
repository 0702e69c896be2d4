"""PNG, JPEG, BMP and GIF: formats that are always decoded whole."""

from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

from segapp.errors import SegappError
from segapp.io.header import Header

# Pillow warns at 89 and fails at 179 million pixels, with words meant for web servers; `raw.MAX_PIXELS` is
# checked instead, from the same header and before anything is decoded.
PIL.Image.MAX_IMAGE_PIXELS = None

FORMATS = ("PNG", "JPEG", "BMP", "GIF")
LOSSY = ("JPEG", "MPO")
MAX_SCANS = 100
"""Passes over a JPEG's pixels, each as long as decoding the image once; progressive ones have some ten."""
BANDS = {"1": 1, "L": 1, "P": 1, "LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 3, "I;16": 1, "I": 1}
EXIF_ORIENTATION = 0x0112


def read_header(path: Path) -> Header:
    """Return what the file's header says; no pixel is decoded."""
    with PIL.Image.open(path, formats=FORMATS) as file:
        if file.mode not in BANDS:
            raise SegappError(f"{path}: {file.format} with pixels of kind {file.mode} is not supported.")
        if file.format == "GIF" and getattr(file, "is_animated", False):  # JPEG's further images are previews
            raise SegappError(f"{path}: an animated GIF is a stack, not one image; save each frame as a file.")
        depth, bands = _read_png_depth(path), BANDS[file.mode]
        wide = depth == 16
        if wide:  # Pillow would reduce 16-bit colour to 8 bits and say nothing
            bands = _count_png_samples(path)
        return Header(
            format=file.format or "image",
            height=file.height,
            width=file.width,
            bands=bands,
            dtype=np.dtype(np.uint16 if wide else np.uint8),
            white=_find_white(file.mode, depth),
            alpha=bands - 1 if bands in (2, 4) else None,
            palette=_read_palette(file) if file.mode == "P" else None,
            transparent=_transparent(file),
            lossy="JPEG" if file.format in LOSSY else None,
            orientation=_read_orientation(file),
            meta=_read_resolution(file),
        )


def decode(path: Path, header: Header) -> np.ndarray:
    """Return (H, W, C) uint8 or uint16 as stored: palette indices kept, orientation not applied."""
    if header.dtype == np.uint16:
        import imagecodecs  # here, so that only 16-bit PNGs wait for it, and other images are read where it is missing

        pixels = imagecodecs.png_decode(path.read_bytes()).reshape(header.height, header.width, -1)
        pixels = pixels[..., : header.bands]  # a transparent colour comes back as one band more
    else:
        if header.lossy == "JPEG":
            _require_few_scans(path)
        with PIL.Image.open(path, formats=FORMATS) as file:
            pixels = np.asarray(file.convert("RGB") if file.mode == "CMYK" else file)
        if header.palette is None and header.white in (3, 15):  # Pillow stretches 2 and 4 bits to 0 … 255
            pixels = pixels // (255 // header.white)
    return pixels.astype(header.dtype, copy=False).reshape(header.height, header.width, header.bands)


def _require_few_scans(path: Path) -> None:
    scans = path.read_bytes().count(b"\xff\xda")  # the mark of one; between pixels it does not occur
    if scans > MAX_SCANS:
        raise SegappError(f"{path}: JPEG of {scans:,} scans, of which {MAX_SCANS} at most are read; save it again.")


def _read_png_head(path: Path) -> bytes | None:
    with path.open("rb") as file:
        head = file.read(26)
    return head if head.startswith(b"\x89PNG") and len(head) == 26 else None


def _read_png_depth(path: Path) -> int | None:
    head = _read_png_head(path)
    return head[24] if head else None


def _count_png_samples(path: Path) -> int:
    head = _read_png_head(path)
    return {0: 1, 2: 3, 4: 2, 6: 4}[head[25]] if head else 1


def _find_white(mode: str, depth: int | None) -> int:
    if mode == "1":
        return 1
    return 2**depth - 1 if mode == "L" and depth in (2, 4) else 255


def _transparent(file: PIL.Image.Image) -> tuple[int, ...] | None:
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
    colours = np.array(file.getpalette("RGB"), np.uint8).reshape(-1, 3)[:256]
    palette[: len(colours), :3] = colours
    transparency = file.info.get("transparency")
    if transparency is None:
        return palette[:, :3]
    if isinstance(transparency, int):
        palette[transparency, 3] = 0
    else:
        palette[: len(transparency), 3] = np.frombuffer(transparency, np.uint8)[:256]
    return palette


def _read_orientation(file: PIL.Image.Image) -> int:
    try:
        # Not `file.getexif()`: for a PNG without EXIF that one decodes all pixels to look behind them.
        orientation = PIL.Image.Image.getexif(file).get(EXIF_ORIENTATION, 1)
    except (SyntaxError, ValueError, KeyError, OSError):  # broken EXIF says nothing; the pixels may be whole
        return 1
    return orientation if orientation in range(1, 9) else 1


def _read_resolution(file: PIL.Image.Image) -> dict[str, Any]:
    dpi = file.info.get("dpi")
    return {"resolution": (float(dpi[1]), float(dpi[0]), "inch")} if dpi else {}
