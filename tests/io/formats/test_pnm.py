"""PNM: values come back as stored, whatever the largest one is, from bytes and from text."""

import numpy as np
import PIL.Image
import pytest

from segapp.errors import SegappError
from segapp.io import Image, read_header, read_raw

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (20, 30), np.uint8)
COLOURS = RNG.integers(0, 256, (20, 30, 3), np.uint8)
WIDE = RNG.integers(0, 4096, (20, 30)).astype(np.uint16)
CLASSES = RNG.integers(0, 6, (20, 30), np.uint8)


def write_bytes(path, pixels, largest):
    head = f"P{5 if pixels.ndim == 2 else 6}\n# a comment\n{pixels.shape[1]} {pixels.shape[0]}\n{largest}\n"
    path.write_bytes(head.encode() + pixels.astype(pixels.dtype.newbyteorder(">")).tobytes())
    return path


def write_text(path, pixels, largest):
    head = f"P{2 if pixels.ndim == 2 else 3} # a comment\n{pixels.shape[1]} {pixels.shape[0]} {largest}\n"
    path.write_text(head + " ".join(map(str, pixels.ravel())))
    return path


@pytest.mark.parametrize("write", [write_bytes, write_text])
@pytest.mark.parametrize(
    ("pixels", "largest"),
    [
        (GREY, 255),
        (COLOURS, 255),
        (WIDE, 4095),
        (WIDE, 65535),
        (CLASSES, 5),
        (CLASSES, 100),
        (COLOURS.astype("u2"), 999),
    ],
    ids=lambda value: str(getattr(value, "dtype", value)),
)
def test_values_come_back_as_stored(write, pixels, largest, tmp_path):
    path = write(tmp_path / "a.pnm", pixels, largest)
    assert read_header(path).dtype == pixels.dtype
    np.testing.assert_array_equal(read_raw(path), pixels)


@pytest.mark.parametrize("kind", ["P1", "P4"])
def test_bits_are_black_where_they_are_set(kind, tmp_path):
    bits = GREY > 99
    head = f"{kind}\n30 20\n".encode()
    (tmp_path / "a.pbm").write_bytes(
        head + (np.packbits(bits, axis=1).tobytes() if kind == "P4" else " ".join(map(str, bits.ravel() * 1)).encode())
    )
    np.testing.assert_array_equal(Image(tmp_path / "a.pbm").read()[..., 0], np.where(bits, 0, 255))


@pytest.mark.parametrize("kind", ["P4", "P5", "P6"])
@pytest.mark.parametrize("after", [b"", b"\r\n"])
def test_lines_of_windows_do_not_move_the_pixels(kind, after, tmp_path):
    pixels = {"P4": (GREY > 99).astype(np.uint8), "P5": GREY, "P6": COLOURS}[kind].copy()
    largest = "" if kind == "P4" else "255\r\n"
    stored = np.packbits(1 - pixels, axis=1).tobytes() if kind == "P4" else pixels.tobytes()
    head = f"{kind}\r\n# a comment\r\n30 20\r\n{largest}".encode()
    (tmp_path / "a.ppm").write_bytes(head + stored + after)
    np.testing.assert_array_equal(read_raw(tmp_path / "a.ppm"), pixels)


def test_a_pixel_of_10_is_one_where_every_byte_is_needed(tmp_path):
    pixels = GREY.copy()
    pixels[0, 0] = 10
    (tmp_path / "a.pgm").write_bytes(b"P5\r\n30 20\r\n255\r" + pixels.tobytes())
    np.testing.assert_array_equal(read_raw(tmp_path / "a.pgm"), pixels)


def test_the_largest_value_is_white_in_an_image(tmp_path):
    path = write_bytes(tmp_path / "a.pgm", CLASSES, 5)
    np.testing.assert_array_equal(Image(path).read()[..., 0], CLASSES * 51)


def test_a_line_break_at_the_end_is_no_image(tmp_path):
    (tmp_path / "a.pgm").write_bytes(b"P5 2 1 7\n\x01\x02\n")
    assert read_raw(tmp_path / "a.pgm").tolist() == [[1, 2]]


def test_pillow_reads_the_same(tmp_path):
    PIL.Image.fromarray(COLOURS).save(tmp_path / "a.ppm")
    np.testing.assert_array_equal(read_raw(tmp_path / "a.ppm"), COLOURS)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"P5 30 20 255\n" + bytes(599), "truncated PNM: 612 of 613 bytes"),
        (b"P5 30 20 65535\n" + bytes(1199), "truncated"),
        (b"P5 30 20 255\n", "truncated"),
        (b"P5 30", "broken or truncated PNM"),
        (b"P5 0 20 255\n", "PNM"),
        (b"P5 30 20 70000\n" + bytes(9999), "maxval"),
        (b"P5 99999999 99999999 255\n", "a side has"),
        (b"P2 9000 9000 255\n1 2 3", "written as text"),
        (b"P2 2 1 7\n1 x", "PNM"),
        (b"P3 2 1 7\n1 2 3 4", "truncated PNM: 4 of 6 values"),
        (b"P2 2 1 7\n1 9", "values of 1 … 9; its header says 0 … 7"),
        (b"P5 2 1 7\n\x01\x09", "values of 1 … 9; its header says 0 … 7"),
        (b"P5 2 1 7\n\x01\x02P5 2 1 7\n\x01\x02", "several images"),
        (b"P5 " + b"# \n" * 400_000 + b"30 20 255\n" + bytes(600), "too many small blocks"),
        (b"P7\nWIDTH 2\nHEIGHT 2\nENDHDR\n", "not a PNG"),
    ],
)
def test_broken_files_are_errors_that_name_them(content, message, tmp_path):
    (tmp_path / "a.pnm").write_bytes(content)
    with pytest.raises(SegappError, match=rf"a\.pnm: .*{message}"):
        read_raw(tmp_path / "a.pnm")
