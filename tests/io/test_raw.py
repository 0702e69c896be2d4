"""Files are delivered as stored, upright, in windows, or told in one sentence."""

import os
import socket
import struct
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from segapp.errors import SegappError
from segapp.io import list_suffixes, raw, read_raw, read_shape, read_window
from segapp.io.formats.format import MAX_PIXELS, Format
from segapp.io.header import turn_upright

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (37, 50), np.uint8)
COLOUR = RNG.integers(0, 256, (37, 50, 3), np.uint8)
DEEP = RNG.integers(0, 65536, (37, 50), np.uint16)
INDICES = RNG.integers(0, 4, (37, 50), np.uint8)


def palette_image(indices: np.ndarray, palette: list[int]) -> PIL.Image.Image:
    image = PIL.Image.fromarray(indices)
    image.putpalette(palette)
    return image


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".TIFF"])
@pytest.mark.parametrize("pixels", [GREY, COLOUR], ids=["grey", "colour"])
def test_lossless_formats_come_back_as_written(tmp_path: Path, suffix: str, pixels: np.ndarray) -> None:
    path = tmp_path / f"a{suffix}"
    PIL.Image.fromarray(pixels).save(path)
    np.testing.assert_array_equal(read_raw(path), pixels)
    assert read_shape(path) == (37, 50)
    assert suffix.lower() in list_suffixes()


def test_jpeg_comes_back_nearly(tmp_path: Path) -> None:
    smooth = np.linspace(0, 255, 37 * 50).reshape(37, 50).astype(np.uint8)
    PIL.Image.fromarray(smooth).save(tmp_path / "a.jpg", quality=95)
    assert np.abs(read_raw(tmp_path / "a.jpg").astype(int) - smooth).max() < 8


def test_cmyk_jpeg_becomes_rgb(tmp_path: Path) -> None:
    PIL.Image.new("RGB", (8, 6), (255, 0, 0)).convert("CMYK").save(tmp_path / "a.jpg")
    pixels = read_raw(tmp_path / "a.jpg")
    assert pixels.shape == (6, 8, 3)
    assert np.abs(pixels.astype(int) - [255, 0, 0]).max() < 8


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palette_png_keeps_its_indices(tmp_path: Path, bits: int) -> None:
    indices = np.minimum(INDICES, 2**bits - 1)
    palette_image(indices, [9, 9, 9, 200, 0, 0, 0, 200, 0, 0, 0, 200]).save(tmp_path / "a.png", bits=bits)
    np.testing.assert_array_equal(read_raw(tmp_path / "a.png"), indices)


def test_palette_bmp_keeps_its_indices(tmp_path: Path) -> None:
    palette_image(INDICES, [9, 9, 9, 200, 0, 0, 0, 200, 0, 0, 0, 200]).save(tmp_path / "a.bmp")
    np.testing.assert_array_equal(read_raw(tmp_path / "a.bmp"), INDICES)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_single_bits_are_0_and_1(tmp_path: Path, suffix: str) -> None:
    bits = INDICES % 2
    PIL.Image.fromarray(bits * 255).convert("1").save(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(read_raw(tmp_path / f"a{suffix}"), bits)


def _png(depth: int, kind: int, rows: list[bytes], width: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, len(rows), depth, kind, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("depth", "row", "values"), [(2, b"\x1b", [0, 1, 2, 3]), (4, b"\x0f\x37", [0, 15, 3, 7])])
def test_packed_grey_is_not_stretched(tmp_path: Path, depth: int, row: bytes, values: list[int]) -> None:
    (tmp_path / "a.png").write_bytes(_png(depth, 0, [row], 4))
    assert read_raw(tmp_path / "a.png").tolist() == [values]


@pytest.mark.parametrize(("kind", "samples"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_16_bit_png_keeps_16_bits(tmp_path: Path, kind: int, samples: int) -> None:
    pixels = RNG.integers(0, 65536, (5, 4, samples), np.uint16)
    (tmp_path / "a.png").write_bytes(_png(16, kind, [row.astype(">u2").tobytes() for row in pixels], 4))
    np.testing.assert_array_equal(read_raw(tmp_path / "a.png").reshape(5, 4, samples), pixels)


@pytest.mark.parametrize("compression", [None, "deflate", "lzw", "zstd"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("layout", [{}, {"tile": (16, 32)}, {"rowsperstrip": 5}], ids=["whole", "tiles", "strips"])
def test_tiff_windows_equal_crops(tmp_path: Path, compression: str, byteorder: str, layout: dict) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, DEEP, compression=compression, byteorder=byteorder, **layout)
    pixels = read_raw(path)
    np.testing.assert_array_equal(pixels, DEEP)
    assert pixels.dtype == np.uint16 and pixels.dtype.isnative
    np.testing.assert_array_equal(read_window(path, 14, 3, 20, 40)[..., 0], DEEP[14:34, 3:43])


CHANNELS = RNG.integers(0, 65536, (5, 37, 50), np.uint16)


@pytest.mark.parametrize(
    "saved",
    [
        {"photometric": "minisblack", "metadata": None},
        {"photometric": "minisblack", "compression": "deflate"},
        {"photometric": "minisblack", "planarconfig": "separate", "tile": (16, 16), "compression": "deflate"},
        {"imagej": True, "metadata": {"axes": "CYX"}},
        {"ome": True, "metadata": {"axes": "CYX"}, "photometric": "minisblack"},
    ],
    ids=["pages", "compressed pages", "planes", "imagej", "ome"],
)
def test_tiff_channels_first(tmp_path: Path, saved: dict) -> None:
    tifffile.imwrite(tmp_path / "a.tif", CHANNELS, **saved)
    np.testing.assert_array_equal(read_raw(tmp_path / "a.tif"), np.moveaxis(CHANNELS, 0, -1))
    window = read_window(tmp_path / "a.tif", 4, 5, 6, 7)
    np.testing.assert_array_equal(window, np.moveaxis(CHANNELS, 0, -1)[4:10, 5:12])


@pytest.mark.parametrize(
    "saved",
    [
        {"planarconfig": "contig"},
        {"planarconfig": "contig", "compression": "deflate"},
        {},
        {"compression": "deflate"},
    ],
    ids=["contiguous", "compressed", "undeclared", "undeclared compressed"],
)
def test_tiff_channels_last(tmp_path: Path, saved: dict) -> None:
    pixels = np.moveaxis(CHANNELS, 0, -1).copy()
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="minisblack", **saved)
    np.testing.assert_array_equal(read_raw(tmp_path / "a.tif"), pixels)
    np.testing.assert_array_equal(read_window(tmp_path / "a.tif", 4, 5, 6, 7), pixels[4:10, 5:12])


def test_tiff_window_decodes_only_what_it_needs(tmp_path: Path) -> None:
    """With all other tiles broken, the window under a sound one can still be read."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, DEEP, tile=(16, 16), compression="deflate")
    with tifffile.TiffFile(path) as file:
        offsets, counts = file.pages[0].dataoffsets, file.pages[0].databytecounts
    content = bytearray(path.read_bytes())
    for offset, count in list(zip(offsets, counts, strict=True))[1:]:
        content[offset : offset + count] = b"\0" * count
    path.write_bytes(bytes(content))
    np.testing.assert_array_equal(read_window(path, 2, 3, 10, 10)[..., 0], DEEP[2:12, 3:13])
    with pytest.raises(SegappError, match=r"a\.tif: a broken or truncated TIFF"):
        read_raw(path)


def test_a_stack_is_no_image(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((20, 30, 31), np.uint8), photometric="minisblack")
    with pytest.raises(SegappError, match=r"Q=20, Y=30, X=31 is a stack"):
        read_raw(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "b.tif", np.zeros((3, 30, 31), np.uint8), imagej=True, metadata={"axes": "ZYX"})
    with pytest.raises(SegappError, match="Z=3, Y=30, X=31 is a stack"):
        read_raw(tmp_path / "b.tif")


CODES = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: np.swapaxes(a, 0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(np.swapaxes(a, 0, 1), 2),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("code", CODES)
def test_orientation_matches_its_definition_and_pillow(tmp_path: Path, code: int) -> None:
    np.testing.assert_array_equal(turn_upright(GREY, code), CODES[code](GREY))
    exif = PIL.Image.Exif()
    exif[0x0112] = code
    PIL.Image.fromarray(GREY).save(tmp_path / "a.png", exif=exif)
    from_pillow = PIL.ImageOps.exif_transpose(PIL.Image.open(tmp_path / "a.png"))
    np.testing.assert_array_equal(read_raw(tmp_path / "a.png"), np.asarray(from_pillow))


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_windows_are_upright_too(tmp_path: Path, suffix: str, code: int) -> None:
    path = tmp_path / f"a{suffix}"
    exif = PIL.Image.Exif()
    exif[0x0112] = code
    if suffix == ".tif":
        tifffile.imwrite(path, GREY, extratags=[(274, 3, 1, code, True)], tile=(16, 16))
    else:
        PIL.Image.fromarray(GREY).save(path, exif=exif)
    whole = read_raw(path)
    assert whole.shape == read_shape(path) == ((50, 37) if code >= 5 else (37, 50))
    np.testing.assert_array_equal(read_window(path, 3, 11, 21, 13)[..., 0], whole[3:24, 11:24])


def test_palette_mask_with_orientation_keeps_indices(tmp_path: Path) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    palette_image(INDICES, [0, 0, 0, 200, 0, 0, 0, 200, 0, 0, 0, 200]).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_raw(tmp_path / "a.png"), np.rot90(INDICES, -1))


def test_windows_are_copies_inside_the_image(tmp_path: Path) -> None:
    PIL.Image.fromarray(GREY).save(tmp_path / "a.png")
    read_window(tmp_path / "a.png", 0, 0, 5, 5)[:] = 0
    np.testing.assert_array_equal(read_raw(tmp_path / "a.png"), GREY)
    for window in [(-1, 0, 5, 5), (33, 0, 5, 5), (0, 46, 5, 5), (0, 0, 0, 5)]:
        with pytest.raises(SegappError, match=r"is not inside its 37 x 50 pixels"):
            read_window(tmp_path / "a.png", *window)


def test_a_file_that_changed_is_read_anew(tmp_path: Path) -> None:
    for pixels in (GREY, GREY[:20]):
        PIL.Image.fromarray(pixels).save(tmp_path / "a.png")
        np.testing.assert_array_equal(read_raw(tmp_path / "a.png"), pixels)


def test_the_suffix_may_lie(tmp_path: Path) -> None:
    PIL.Image.fromarray(GREY).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    np.testing.assert_array_equal(read_raw(tmp_path / "a.jpg"), GREY)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"just a text", r"11 bytes starting with b'just a t', not a PNG, JPEG, .* or JPEG 2000"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"GIF89a" + bytes(30), "GIF"),
        (b"RIFF0000WAVEfmt ", "not a PNG, JPEG, .* or JPEG 2000"),
        (b"RIFF0000WEBPVP8 ", r"a broken or truncated WebP of 16 bytes, although it is named \.png"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "a broken or truncated JPEG 2000"),
        (b"II*\0" + bytes(20), "a broken or truncated TIFF of 24 bytes|TIFF without an image"),
    ],
)
def test_no_image_is_told_in_a_sentence(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(SegappError, match=rf"a\.png: .*({words})"):
        read_raw(tmp_path / "a.png")


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(SegappError, match=r"b\.png: there is no such file"):
        read_shape(tmp_path / "b.png")
    with pytest.raises(SegappError, match="a folder, not an image file"):
        read_shape(tmp_path)


def _samples(folder: Path) -> dict[str, bytes]:
    PIL.Image.fromarray(COLOUR).save(folder / "a.png")
    PIL.Image.fromarray(DEEP).save(folder / "deep.png")
    PIL.Image.fromarray(COLOUR).save(folder / "a.jpg")
    PIL.Image.fromarray(COLOUR).save(folder / "a.bmp")
    tifffile.imwrite(folder / "plain.tif", COLOUR, photometric="rgb")
    tifffile.imwrite(folder / "tiled.tif", COLOUR, photometric="rgb", tile=(16, 16), compression="deflate")
    tifffile.imwrite(folder / "pages.tif", CHANNELS, photometric="minisblack", compression="deflate")
    tifffile.imwrite(folder / "imagej.tif", CHANNELS, imagej=True, metadata={"axes": "CYX"})
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return _samples(tmp_path_factory.mktemp("samples"))


KINDS = ("a.png", "deep.png", "a.jpg", "a.bmp", "plain.tif", "tiled.tif", "pages.tif", "imagej.tif")


@pytest.mark.parametrize("name", KINDS)
def test_truncation_is_always_noticed(tmp_path: Path, samples: dict[str, bytes], name: str) -> None:
    content = samples[name]
    path = tmp_path / name
    for share in np.linspace(0, 0.98, 15):
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(SegappError, match=name):
            read_raw(path)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(KINDS),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=6),
)
def test_corruption_never_raises_anything_else(
    samples: dict[str, bytes],
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    edits: list[tuple[int, int]],
) -> None:
    content = bytearray(samples[name])
    for position, value in edits:
        content[position % len(content)] = value
    path = tmp_path_factory.mktemp("corrupt") / name
    path.write_bytes(bytes(content))
    try:
        assert read_raw(path).shape[:2] == read_shape(path)
    except SegappError as error:
        assert name in str(error)


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Format, "max_pixels", 1000)
    for name in ("a.png", "a.tif"):
        PIL.Image.fromarray(GREY).save(tmp_path / name)
        with pytest.raises(SegappError, match=r"37 x 50 pixels would have to be decoded whole.*1,000"):
            read_raw(tmp_path / name)
    assert read_window(tmp_path / "a.tif", 0, 0, 20, 50).shape == (20, 50, 1)
    with pytest.raises(SegappError, match="decoded whole"):  # by the header: nobody plans windows of it
        read_shape(tmp_path / "a.png")


def test_a_jpeg_of_many_scans_is_refused(tmp_path: Path) -> None:
    """Each costs as much as decoding the image: 3,000 of them, 60 bytes each, took two minutes."""
    path = tmp_path / "a.jpg"
    PIL.Image.new("RGB", (64, 64)).save(path, progressive=True)
    content = path.read_bytes()
    last = content.rindex(b"\xff\xda")
    assert read_raw(path).shape == (64, 64, 3)
    path.write_bytes(content[:last] + content[last:-2] * 200 + content[-2:])
    with pytest.raises(SegappError, match="scans"):
        read_raw(path)


def _sized(path: Path, height: int, width: int) -> Path:
    """Write a file of few bytes whose header promises so many pixels."""
    if path.suffix == ".png":
        (tmp := bytearray(_png(8, 0, [b"\0"], 4)))[16:24] = struct.pack(">II", width, height)
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
    with pytest.raises(SegappError, match=rf"{height} x {width} pixels.*({MAX_PIXELS:,}|{raw.MAX_SIDE:,})"):
        read_shape(_sized(tmp_path / name, height, width))


def _tags(width: int, height: int, *more: tuple[int, int, int, int]) -> bytes:
    """A little-endian TIFF of one page: (code, kind, count, value) of its tags, and 16 bytes of pixels."""
    always = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (262, 3, 1, 1), (277, 3, 1, 1)]
    tags = sorted({tag[0]: tag for tag in [*always, *more]}.values())
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + bytes(16)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (_tags(200_000, 200_000, (259, 3, 1, 1), (273, 4, 1, 8), (278, 4, 1, 200_000), (279, 4, 1, 16)), "truncated"),
        (_tags(200_000, 200_000, (259, 3, 1, 8), (273, 4, 1, 8), (278, 4, 1, 200_000), (279, 4, 1, 16)), "one tile or"),
        (  # GDAL's sparse tiles: all of them empty
            _tags(
                60_000, 30_000, (259, 3, 1, 8), (322, 4, 1, 30_000), (323, 4, 1, 30_000), (324, 3, 2, 0), (325, 3, 2, 0)
            ),
            "holds 0 bytes",
        ),
        (_tags(2**31, 1, (259, 3, 1, 8), (273, 4, 1, 8), (278, 4, 1, 1), (279, 4, 1, 16)), "one tile or|a side has"),
        (_tags(8, 8, (259, 3, 1, 8), (277, 3, 1, 9000), (273, 4, 1, 8), (278, 4, 1, 8), (279, 4, 1, 16)), "a stack"),
    ],
    ids=["uncompressed", "one strip", "empty tiles", "one row", "many samples"],
)
def test_a_tiff_that_promises_more_than_a_window_needs(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(SegappError, match=rf"a\.tif: .*({words})"):
        read_shape(tmp_path / "a.tif")


def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "gone.png").symlink_to("nowhere.png")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s.png"))
    words = {"pipe.png": "a named pipe", "loop.png": "itself", "gone.png": "nowhere.png, which", "s.png": "a socket"}
    for name, found in words.items():
        with pytest.raises(SegappError, match=rf"{name}: .*{found}"):
            read_shape(tmp_path / name)
    with pytest.raises(SegappError, match="a device"):
        read_shape(Path("/dev/zero"))


@pytest.mark.parametrize(("kind", "samples"), [(0, 1), (2, 3)])
def test_a_16_bit_png_with_a_transparent_colour(tmp_path: Path, kind: int, samples: int) -> None:
    pixels = RNG.integers(0, 65536, (5, 4, samples), np.uint16)
    whole = _png(16, kind, [row.astype(">u2").tobytes() for row in pixels], 4)
    key = pixels[2, 3].astype(">u2").tobytes()
    chunk = struct.pack(">I", len(key)) + b"tRNS" + key + struct.pack(">I", zlib.crc32(b"tRNS" + key))
    (tmp_path / "a.png").write_bytes(whole[:33] + chunk + whole[33:])
    np.testing.assert_array_equal(read_raw(tmp_path / "a.png").reshape(5, 4, samples), pixels)
    assert raw.read_header(tmp_path / "a.png").transparent == tuple(pixels[2, 3].tolist())


def test_gif_is_read_and_an_animation_refused(tmp_path: Path) -> None:
    frames = [PIL.Image.fromarray(np.eye(9, dtype=np.uint8) * v) for v in (255, 99)]
    frames[0].save(tmp_path / "a.gif")
    np.testing.assert_array_equal(read_raw(tmp_path / "a.gif"), np.eye(9))  # indices: black, white
    frames[0].save(tmp_path / "b.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(SegappError, match=r"b\.gif: an animated GIF"):
        read_shape(tmp_path / "b.gif")
