"""Files that are far longer, or of far more blocks, than their pixels need are refused before they are read."""

import io
import os
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from segapp.errors import SegappError
from segapp.io import read_raw, read_shape
from segapp.io.formats import bounds

PIXELS = np.random.default_rng(0).integers(0, 256, (64, 48, 3), np.uint8)
COUNT = 2000
"""Blocks that are added, far more than the tests allow."""


def encode(name: str, mode: str = "RGB", **options: object) -> bytes:
    stream = io.BytesIO()
    PIL.Image.fromarray(PIXELS).convert("P" if name == "GIF" else mode).save(stream, name, **options)
    return stream.getvalue()


def chunk(name: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def insert(content: bytes, place: int, block: bytes) -> bytes:
    return content[:place] + block * COUNT + content[place:]


def many_blocks() -> dict[str, bytes]:
    """Return files of many blocks by their name."""
    png, jpeg, gif, jp2 = (encode(name) for name in ("PNG", "JPEG", "GIF", "JPEG2000"))
    webp = encode("WEBP", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0")
    image = gif.index(b"\x2c", 13 + 768)
    files = {
        "text.png": insert(png, 33, chunk(b"tEXt", b"a\0b")),
        "private.png": insert(png, 33, chunk(b"abCd")),
        "palette.png": insert(encode("PNG", "P"), -12, chunk(b"IDAT")),
        "comments.jpg": insert(jpeg, 2, b"\xff\xfe\0\2"),
        "fill.jpg": insert(jpeg, 2, b"\xff"),
        "stuffed.jpg": insert(jpeg, 2, b"\xff\0"),
        "control.gif": insert(gif, image, b"\x21\xf9\4\0\0\0\0\0"),
        "comments.gif": insert(gif, image, b"\x21\xfe\1a\0"),
        "pixels.gif": insert(gif, -2, b"\1\0"),
        "junk.gif": insert(gif, -1, b"\1"),
        "boxes.jp2": insert(jp2, 32, struct.pack(">I4s", 8, b"abcd")),
        "before.webp": insert(webp, 30, b"abcd\0\0\0\0"),
    }
    size = len(files["before.webp"]) - 8
    return files | {"before.webp": b"RIFF" + struct.pack("<I", size) + files["before.webp"][8:]}


MANY = many_blocks()


@pytest.mark.parametrize("name", MANY)
def test_files_of_endless_blocks_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A decoder walks them in Python: 60 MB of empty ones took up to a minute."""
    path = tmp_path / name
    path.write_bytes(MANY[name])
    monkeypatch.setattr(bounds, "READS", 500)
    with pytest.raises(SegappError, match=rf"{name}: .*(blocks|segments)"):
        read_raw(path)


@pytest.mark.parametrize("name", [b"IDAT", b"abCd"])
def test_endless_blocks_that_no_python_walks_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: bytes
) -> None:
    """60 MB of them take a tenth of a second."""
    (tmp_path / "a.png").write_bytes(insert(encode("PNG"), -12, chunk(name)))
    monkeypatch.setattr(bounds, "READS", 500)
    np.testing.assert_array_equal(read_raw(tmp_path / "a.png"), PIXELS)


@pytest.mark.parametrize("name", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "JPEG2000"])
def test_a_sparse_file_is_refused_unread(tmp_path: Path, name: str) -> None:
    """A tar of some kilobytes holds files of many gigabytes, which decoders would read into memory."""
    path = tmp_path / "a.img"
    path.write_bytes(encode(name))
    read_shape(path)
    os.truncate(path, 60 * 10**9)
    tracemalloc.start()
    with pytest.raises(SegappError, match=r"a\.img: 60,000,000,000 bytes for"):
        read_raw(path)
    assert tracemalloc.get_traced_memory()[1] < 2**23
    tracemalloc.stop()


def test_a_sparse_png_of_16_bits_is_refused_unread(tmp_path: Path) -> None:
    PIL.Image.fromarray(np.zeros((8, 9), np.uint16)).save(tmp_path / "a.png")
    os.truncate(tmp_path / "a.png", 60 * 10**9)
    with pytest.raises(SegappError, match=r"a\.png: 60,000,000,000 bytes"):
        read_raw(tmp_path / "a.png")


def test_what_cameras_and_editors_add_is_read(tmp_path: Path) -> None:
    """Colour profiles, previews, and the video behind a motion photo."""
    photo = tmp_path / "a.jpg"
    profile = b"\xff\xe2" + struct.pack(">H", 65_000) + bytes(64_998)
    photo.write_bytes(encode("JPEG")[:2] + profile * 100 + encode("JPEG")[2:] + bytes(2**23))
    assert read_raw(photo).shape == PIXELS.shape


def test_a_jpeg_whose_metadata_have_no_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segapp.io.formats.bounds.BoundedReader.__init__.__defaults__", (2**17, None))
    profile = b"\xff\xe2" + struct.pack(">H", 65_000) + bytes(64_998)
    (tmp_path / "a.jpg").write_bytes(encode("JPEG")[:2] + profile * 3 + encode("JPEG")[2:])
    with pytest.raises(SegappError, match=r"a\.jpg: JPEG with too much .*before its pixels"):
        read_shape(tmp_path / "a.jpg")


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP"])
def test_exif_whose_entries_share_their_bytes_takes_no_memory(tmp_path: Path, name: str) -> None:
    """Each of 5,000 entries says that all of it is its own: 300 KB became 1.5 GB."""
    entries = b"".join(struct.pack("<HHII", tag, 7, 200_000, 8) for tag in range(1, 5001))
    exif = b"II*\0" + struct.pack("<I", 220_000) + bytes(219_992) + struct.pack("<H", 5000) + entries + bytes(4)
    content = encode(name) if name != "WEBP" else encode(name, exif=b"Exif\0\0" + exif)
    if name == "PNG":
        content = content[:33] + chunk(b"eXIf", exif) + content[33:]
    if name == "JPEG":
        pieces = [exif[i : i + 60_000] for i in range(0, len(exif), 60_000)]
        segments = [b"\xff\xe1" + struct.pack(">H", 8 + len(piece)) + b"Exif\0\0" + piece for piece in pieces]
        content = content[:2] + b"".join(segments) + content[2:]
    (tmp_path / "a.img").write_bytes(content)
    tracemalloc.start()
    with pytest.raises(SegappError, match=r"a\.img: .* bytes of EXIF"):
        read_shape(tmp_path / "a.img")
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()


def test_a_canvas_of_webp_is_bounded_before_it_is_made(tmp_path: Path) -> None:
    content = bytearray(encode("WEBP", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"))
    content[24:30] = (2**15 - 1).to_bytes(3, "little") * 2
    (tmp_path / "a.webp").write_bytes(bytes(content))
    with pytest.raises(SegappError, match=r"a\.webp: WebP of 32768 x 32768 pixels"):
        read_shape(tmp_path / "a.webp")
