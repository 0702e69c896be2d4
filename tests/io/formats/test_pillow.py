"""Formats that Pillow decodes: bits as stored, sizes refused by the header."""

import struct
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest

from segapp.errors import SegappError
from segapp.io import raw, read_header, read_raw, read_shape
from segapp.io.formats.format import MAX_DECODED_PIXELS
from tests.io.formats.png_bytes import encode_png

RNG = np.random.default_rng(0)


INDICES = RNG.integers(0, 4, (37, 50), np.uint8)


def _sized(path: Path, height: int, width: int) -> Path:
    """Write a file of few bytes whose header promises so many pixels."""
    if path.suffix == ".png":
        (tmp := bytearray(encode_png(8, 0, [b"\0"], 4)))[16:24] = struct.pack(">II", width, height)
        tmp[29:33] = struct.pack(">I", zlib.crc32(bytes(tmp[12:29])))
        path.write_bytes(bytes(tmp))
        return path
    kind, name = {".bmp": (PIL.Image.new("L", (4, 1)), "BMP"), ".gif": (PIL.Image.new("L", (4, 1)), "GIF")}[path.suffix]
    kind.save(path, name)
    place, form = {".bmp": (18, "<ii"), ".gif": (6, "<HH")}[path.suffix]
    content = bytearray(path.read_bytes())
    content[place : place + struct.calcsize(form)] = struct.pack(form, width, height)
    path.write_bytes(bytes(content))
    return path


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_single_bits_are_0_and_1(tmp_path: Path, suffix: str) -> None:
    bits = INDICES % 2
    PIL.Image.fromarray(bits * 255).convert("1").save(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(read_raw(tmp_path / f"a{suffix}"), bits)


@pytest.mark.parametrize(
    ("name", "height", "width"),
    [
        ("a.png", 200_000, 200_000),
        ("a.png", 2**31 - 1, 2**31 - 1),
        ("a.png", 1, 2**24),
        ("a.bmp", 60_000, 60_000),
        ("a.gif", 60_000, 60_000),
    ],
)
def test_a_huge_header_is_refused_by_the_header_alone(tmp_path: Path, name: str, height: int, width: int) -> None:
    with pytest.raises(SegappError, match=rf"{height} x {width} pixels.*({MAX_DECODED_PIXELS:,}|{raw.MAX_SIDE:,})"):
        read_shape(_sized(tmp_path / name, height, width))


@pytest.mark.parametrize("name", ["PNG", "GIF", "BMP"])
def test_a_palette_is_read_without_the_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Pillow's `getpalette` decodes the image first: 4 KB whose header said 49,000 x 43,000 took 5 GB."""
    image = PIL.Image.fromarray(INDICES)
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 128, 0, 1, 2, 3])
    image.save(tmp_path / "a.img", name)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("decodes"))
    palette = read_header(tmp_path / "a.img").palette
    assert palette is not None
    assert palette[:4].tolist() == [[0, 0, 0], [255, 0, 0], [0, 128, 0], [1, 2, 3]]
