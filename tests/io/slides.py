"""Slides as scanners and other programs write them: pyramids of tiled pages, small enough for tests."""

import io
import re
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import tifffile

APERIO = "Aperio Image Library v11.2.1\r\n{size} [0,0 {size}] (64x64)|AppMag = 20|MPP = {um:g}|Left = 25"


def make_levels(pixels: np.ndarray, factors: Sequence[int]) -> list[np.ndarray]:
    """Return means over squares of so many pixels, of complete squares only."""
    levels = []
    for factor in factors:
        height, width = pixels.shape[0] // factor, pixels.shape[1] // factor
        squares = pixels[: height * factor, : width * factor].reshape(height, factor, width, factor, -1)
        levels.append(np.rint(squares.mean(axis=(1, 3))).astype(pixels.dtype).reshape(height, width, *pixels.shape[2:]))
    return levels


def write_svs(path: Path, levels: Sequence[np.ndarray], um: float = 0.25, compression: str = "adobe_deflate") -> None:
    """Write levels of (H, W, 3) uint8 as Aperio does: with a thumbnail after the first, a label and a macro image."""
    other = np.full((40, 30, 3), 77, np.uint8)
    options: dict[str, Any] = {"photometric": "rgb", "metadata": None}
    tiled = {"tile": (64, 64), "compression": compression, **options}
    size = f"{levels[0].shape[1]}x{levels[0].shape[0]}"
    with tifffile.TiffWriter(path) as file:
        file.write(levels[0], description=APERIO.format(size=size, um=um), **tiled)
        file.write(other, description=f"Aperio Image Library v11.2.1\r\n{size} -> 30x40 -", **options)
        for level in levels[1:]:
            file.write(level, description=f"Aperio Image Library v11.2.1\r\n{size}", **tiled)
        file.write(other, description="Aperio Image Library v11.2.1\r\nlabel 30x40", subfiletype=1, **options)
        file.write(other, description="Aperio Image Library v11.2.1\r\nmacro 30x40", subfiletype=9, **options)


def write_pyramid(path: Path, levels: Sequence[np.ndarray], um: float | None = 0.25, **options: Any) -> None:
    """Write levels as pages of a TIFF, of which the smaller ones are marked as such; µm in centimetres, as scanners."""
    options = {"tile": (64, 64), "compression": "adobe_deflate", "metadata": None} | options
    options["photometric"] = "rgb" if levels[0].ndim == 3 and levels[0].shape[2] == 3 else "minisblack"
    with tifffile.TiffWriter(path) as file:
        for number, level in enumerate(levels):
            own = {} if um is None or number else {"resolution": (1e4 / um, 1e4 / um), "resolutionunit": "CENTIMETER"}
            file.write(level, subfiletype=1 if number else 0, **own, **options)


def write_ndpi(path: Path, levels: Sequence[np.ndarray], um: float = 0.25) -> None:
    """Write levels of (H, W, 3) uint8, W a multiple of 64, as Hamamatsu does.

    A level is one JPEG, whose restart markers begin pieces of 8 x 64 pixels. Offsets of pages have 8 bytes, and after
    them each page has the upper halves of its tags' values.
    """
    described = {"resolution": (1e4 / um, 1e4 / um), "resolutionunit": "CENTIMETER", "metadata": None}
    with tifffile.TiffWriter(path) as file:
        for level in levels:
            stream, starts = _encode_with_restarts(level)
            extra = [
                (65420, "I", 1, 1, True),
                (271, "s", 10, "Hamamatsu", True),
                (65426, "I", len(starts), starts, True),
            ]
            options = {"compression": "jpeg", "photometric": "ycbcr", "subsampling": (1, 1), "extratags": extra}
            rows = level.shape[0]
            file.write(iter([stream]), shape=level.shape, dtype=np.uint8, rowsperstrip=rows, **options, **described)
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path, is_ndpi=False) as file:
        tags = [bytes(data[page.offset + 2 :][: 12 * len(page.tags)]) for page in file.pages]
    data[4:12] = struct.pack("<Q", len(data))
    for number, own in enumerate(tags):
        high = bytes(len(own) // 3)
        following = len(data) + 2 + len(own) + 8 + len(high) if number + 1 < len(tags) else 0
        data += struct.pack("<H", len(own) // 12) + own + struct.pack("<Q", following) + high
    path.write_bytes(data)


def _encode_with_restarts(pixels: np.ndarray) -> tuple[bytes, list[int]]:
    """Return a JPEG, and where its pieces begin."""
    held = io.BytesIO()
    PIL.Image.fromarray(pixels).save(held, "jpeg", quality=95, subsampling=0, restart_marker_blocks=8)
    stream = held.getvalue()
    scan = stream.index(b"\xff\xda")
    first = scan + 2 + int.from_bytes(stream[scan + 2 : scan + 4], "big")
    return stream, [first, *(first + found.end() for found in re.finditer(rb"\xff[\xd0-\xd7]", stream[first:]))]
