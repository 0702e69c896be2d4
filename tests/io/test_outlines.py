"""Outlines drawn as LabelMe draws them, and PNG in memory."""

import io

import numpy as np
import pytest
from PIL import Image

from segapp.errors import MisuseError
from segapp.io import decode_png, draw_outline, read_png_size


def encode(pixels: np.ndarray, mode: str | None = None, **settings: object) -> bytes:
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    (image if mode is None else image.convert(mode)).save(file, "PNG", **settings)
    return file.getvalue()


def test_outlines_hold_their_border_and_are_cut_at_the_edges() -> None:
    square = np.array([(1, 1), (3, 1), (3, 3), (1, 3)])
    assert draw_outline("polygon", square, 6, 6).sum() == 9
    assert draw_outline("rectangle", square[[2, 0]], 6, 6).sum() == 9
    assert draw_outline("rectangle", square - 2, 6, 6).sum() == 4
    assert not draw_outline("ellipse", square + 10, 6, 6).any()


MASK = np.array([[0, 255, 0], [7, 0, 0]], np.uint8)


@pytest.mark.parametrize("mode", ["L", "RGB", "I;16"])
def test_what_is_not_zero_is_covered(mode: str) -> None:
    pixels = encode(MASK.astype(np.uint16)) if mode == "I;16" else encode(MASK, mode)
    assert np.array_equal(decode_png(pixels, 2, 3), MASK > 0)


def test_what_is_not_transparent_is_covered() -> None:
    assert np.array_equal(decode_png(encode(np.dstack([MASK * 0, MASK])), 2, 3), MASK > 0)
    file = io.BytesIO()
    image = Image.fromarray((MASK > 0).astype(np.uint8), "L").convert("P")
    image.save(file, "PNG", transparency=1)
    assert np.array_equal(decode_png(file.getvalue(), 2, 3), MASK == 0)


def test_sizes_and_damage() -> None:
    content = encode(MASK)
    assert read_png_size(content) == (2, 3)
    with pytest.raises(MisuseError, match="not 2 x 3"):
        decode_png(content, 3, 2)
    for broken in (b"", content[:20], b"x" * 60, content[8:]):
        with pytest.raises(MisuseError, match="no PNG"):
            read_png_size(broken)
    for broken in (content[:40], content[:33] + bytes(40)):
        with pytest.raises(MisuseError, match="damaged PNG"):
            decode_png(broken, 2, 3)
