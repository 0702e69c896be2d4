"""JPEG: nearly what was saved, and bounded."""

from pathlib import Path

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
