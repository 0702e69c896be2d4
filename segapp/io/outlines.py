"""Small binary masks that are not files: outlines drawn by Pillow, and PNG kept inside other files."""

import io
import struct

import numpy as np
from PIL import Image, ImageDraw

from segapp.errors import MisuseError

PNG_START = b"\x89PNG\r\n\x1a\n"
HEADER_BYTES = 24
"""Of a PNG up to its width and height."""


def draw_outline(kind: str, points: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return (height, width) bool: a polygon, rectangle or ellipse with its border, as LabelMe draws them.

    Args:
        kind: "polygon", or "rectangle" or "ellipse", which have two opposite corners.
        points: (N, 2) int x, y; they may lie outside.
        height: Of the result.
        width: Of the result.
    """
    canvas = Image.new("1", (width, height))
    draw = ImageDraw.Draw(canvas)
    if kind == "polygon":
        draw.polygon(points.ravel().tolist(), fill=1, outline=1)
    else:
        corners = [*points.min(0).tolist(), *points.max(0).tolist()]
        (draw.rectangle if kind == "rectangle" else draw.ellipse)(corners, fill=1, outline=1)
    return np.array(canvas)


def read_png_size(data: bytes) -> tuple[int, int]:
    """Return height, width of a PNG by its first bytes; MisuseError where these are not those of a PNG."""
    if len(data) < HEADER_BYTES or not data.startswith(PNG_START) or data[12:16] != b"IHDR":
        raise MisuseError("a bitmap is no PNG")
    width, height = struct.unpack(">II", data[16:HEADER_BYTES])
    return height, width


def decode_png(data: bytes, height: int, width: int) -> np.ndarray:
    """Return (height, width) bool: where a PNG is neither 0 nor transparent; MisuseError for another size or damage."""
    if read_png_size(data) != (height, width):
        raise MisuseError(f"a bitmap is not {width} x {height} pixels")
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            is_transparent = image.mode == "P" and "transparency" in image.info
            pixels = np.array(image.convert("RGBA") if is_transparent else image)
    except (OSError, ValueError, SyntaxError, struct.error) as error:
        raise MisuseError(f"a bitmap is a damaged PNG ({error})") from error
    if pixels.ndim == 3:
        pixels = pixels[..., -1] if pixels.shape[2] in (2, 4) else pixels.max(2)
    return np.not_equal(pixels, 0)
