"""JPEG: nearly what was saved, and bounded."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest

from segapp.errors import SegappError
from segapp.io import read_raw


def test_jpeg_comes_back_nearly(tmp_path: Path) -> None:
    smooth = np.linspace(0, 255, 37 * 50).reshape(37, 50).astype(np.uint8)
    PIL.Image.fromarray(smooth).save(tmp_path / "a.jpg", quality=95)
    assert np.abs(read_raw(tmp_path / "a.jpg").astype(int) - smooth).max() < 8


def test_cmyk_jpeg_becomes_rgb(tmp_path: Path) -> None:
    PIL.Image.new("RGB", (8, 6), (255, 0, 0)).convert("CMYK").save(tmp_path / "a.jpg")
    pixels = read_raw(tmp_path / "a.jpg")
    assert pixels.shape == (6, 8, 3)
    assert np.abs(pixels.astype(int) - [255, 0, 0]).max() < 8


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


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("how", [{}, {"progressive": True}, {"subsampling": 0}, {"subsampling": 1, "optimize": True}])
def test_pixels_are_those_that_pillow_decodes(tmp_path: Path, mode: str, how: dict[str, Any]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (37, 53, len(mode)), np.uint8)
    PIL.Image.fromarray(noise.squeeze(), mode).save(tmp_path / "a.jpg", **how)
    with PIL.Image.open(tmp_path / "a.jpg") as image:
        expected = np.asarray(image.convert("RGB") if mode == "CMYK" else image)
    np.testing.assert_array_equal(read_raw(tmp_path / "a.jpg"), expected)


def test_a_colour_jpeg_without_a_change_of_colours(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    PIL.Image.fromarray(noise).save(tmp_path / "a.jpg", keep_rgb=True, quality=95)
    np.testing.assert_array_equal(read_raw(tmp_path / "a.jpg"), np.asarray(PIL.Image.open(tmp_path / "a.jpg")))


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95, -2])
def test_a_truncated_jpeg_is_refused(tmp_path: Path, kept: float, progressive: bool) -> None:
    """Also with a thumbnail, whose end is not the image's."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    thumbnail, stream = io.BytesIO(), io.BytesIO()
    PIL.Image.fromarray(noise[:8, :8]).save(thumbnail, "JPEG")
    PIL.Image.fromarray(noise).save(stream, "JPEG", progressive=progressive, quality=95)
    content = stream.getvalue()
    segment = b"Exif\0\0" + thumbnail.getvalue()
    complete = content[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + content[2:]
    (tmp_path / "a.jpg").write_bytes(complete)
    assert read_raw(tmp_path / "a.jpg").shape == (64, 64, 3)
    start = len(complete) - len(content)
    (tmp_path / "a.jpg").write_bytes(complete[: start + int(kept * len(content)) if kept > 0 else int(kept)])
    with pytest.raises(SegappError, match=r"a\.jpg.*truncated"):
        read_raw(tmp_path / "a.jpg")


def test_of_an_mpo_the_first_image_is_read(tmp_path: Path) -> None:
    first, second = (PIL.Image.fromarray(np.full((16, 24, 3), value, np.uint8)) for value in (40, 200))
    first.save(tmp_path / "a.mpo", save_all=True, append_images=[second])
    assert read_raw(tmp_path / "a.mpo").shape == (16, 24, 3)
    assert abs(int(read_raw(tmp_path / "a.mpo").mean()) - 40) <= 2
