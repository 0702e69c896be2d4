"""Files are delivered as stored, in windows, or refused with one message."""

import os
import socket
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from segapp.errors import SegappError
from segapp.io import FilePart, list_suffixes, read_header, read_raw, read_shape, read_window
from segapp.io.formats.format import Format
from segapp.spec import Resolution

RNG = np.random.default_rng(0)


GREY = RNG.integers(0, 256, (37, 50), np.uint8)


COLOUR = RNG.integers(0, 256, (37, 50, 3), np.uint8)


DEEP = RNG.integers(0, 65536, (37, 50), np.uint16)


CHANNELS = RNG.integers(0, 65536, (5, 37, 50), np.uint16)


def _samples(folder: Path) -> dict[str, bytes]:
    PIL.Image.fromarray(COLOUR).save(folder / "a.png")
    PIL.Image.fromarray(DEEP).save(folder / "deep.png")
    PIL.Image.fromarray(COLOUR).save(folder / "a.jpg")
    PIL.Image.fromarray(COLOUR).save(folder / "a.bmp")
    PIL.Image.fromarray(COLOUR).save(folder / "a.webp", lossless=True)
    PIL.Image.fromarray(COLOUR).save(folder / "a.jp2")
    tifffile.imwrite(folder / "plain.tif", COLOUR, photometric="rgb")
    tifffile.imwrite(folder / "tiled.tif", COLOUR, photometric="rgb", tile=(16, 16), compression="deflate")
    tifffile.imwrite(folder / "pages.tif", CHANNELS, photometric="minisblack", compression="deflate")
    tifffile.imwrite(folder / "imagej.tif", CHANNELS, imagej=True, metadata={"axes": "CYX"})
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return _samples(tmp_path_factory.mktemp("samples"))


KINDS = ("a.png", "deep.png", "a.jpg", "a.bmp", "a.webp", "a.jp2", "plain.tif", "tiled.tif", "pages.tif", "imagej.tif")


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".TIFF"])
@pytest.mark.parametrize("pixels", [GREY, COLOUR], ids=["grey", "colour"])
def test_lossless_formats_come_back_as_written(tmp_path: Path, suffix: str, pixels: np.ndarray) -> None:
    path = tmp_path / f"a{suffix}"
    PIL.Image.fromarray(pixels).save(path)
    np.testing.assert_array_equal(read_raw(path), pixels)
    assert read_shape(path) == (37, 50)
    assert suffix.lower() in list_suffixes()


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
        (b"just a text", r"11 bytes starting with b'just a t', not a PNG, JPEG, .* or HDF5"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"GIF89a" + bytes(30), "GIF"),
        (b"RIFF0000WAVEfmt ", "not a PNG, JPEG, .* or HDF5"),
        (b"RIFF0000WEBPVP8 ", r"a broken or truncated WebP of 16 bytes, although it is named \.png"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "a broken or truncated JPEG 2000"),
        (b"II*\0" + bytes(20), "a broken or truncated TIFF of 24 bytes|TIFF without an image"),
    ],
)
def test_no_image_is_reported_in_a_sentence(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(SegappError, match=rf"a\.png: .*({words})"):
        read_raw(tmp_path / "a.png")


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(SegappError, match=r"b\.png: there is no such file"):
        read_shape(tmp_path / "b.png")
    with pytest.raises(SegappError, match="a folder, not an image file"):
        read_shape(tmp_path)


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
        with pytest.raises(SegappError, match=r"37 x 50 pixels.*1,000"):
            read_raw(tmp_path / name)
    assert read_window(tmp_path / "a.tif", 0, 0, 20, 50).shape == (20, 50, 1)
    with pytest.raises(SegappError, match="37 x 50 pixels"):  # by the header: nobody plans windows of it
        read_shape(tmp_path / "a.png")


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


def test_an_image_of_one_resolution_is_read_at_no_other(tmp_path: Path) -> None:
    PIL.Image.fromarray(GREY).save(tmp_path / "a.png")
    with pytest.raises(
        SegappError, match=r"a\.png: PNG is read at the resolution that it has, .* asks for 0.5 µm per pixel"
    ):
        read_header(FilePart(tmp_path / "a.png", resolution=Resolution(um_per_pixel=0.5)))
