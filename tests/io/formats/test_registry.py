"""A format is found by the first bytes of a file; its name only says which files are images."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from segapp.errors import SegappError
from segapp.io import find_mask_suffix, find_suffix, list_suffixes, raw, read_raw, read_shape
from segapp.io.formats.registry import FORMATS, find_format

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 9, 3), np.uint8)


PILLOW = [each for each in FORMATS if not each.holds_slices and each.name != "TGA"]  # whose files have no mark


@pytest.mark.parametrize("each", PILLOW, ids=lambda each: each.name)
def test_content_decides_and_the_difference_is_logged_once(tmp_path, caplog, each):
    raw._log_other_content.cache_clear()
    for name in ("a.xyz", f"a{each.suffixes[0]}", "wrong.png", "wrong2.png"):
        PIL.Image.fromarray(PIXELS).save(tmp_path / name, format=getattr(each, "plugin", each.name))
        assert find_format(tmp_path / name) is each
        assert read_shape(tmp_path / name) == (12, 9)
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == (each.name != "PNG")
    assert all(".png" in message and each.name in message for message in messages)


def test_suffixes_of_names():
    assert {".png", ".tif", ".webp", ".jp2"} <= set(list_suffixes())
    assert find_suffix(Path("a/b.c.TIFF")) == ".TIFF"
    assert find_suffix(Path("a.txt")) == find_suffix(Path(".png")) == find_suffix(Path("png")) == ""


def test_a_mask_has_the_format_of_its_image_where_that_can_hold_masks():
    for image, mask in (("a.TIF", ".TIF"), ("a.png", ".png"), ("a.jpg", ".png"), ("a.jp2", ".png"), ("a.webp", ".png")):
        assert find_mask_suffix(Path(image)) == mask
    for image, mask in (("a.svs", ".tif"), ("a.NDPI", ".tif")):
        assert find_mask_suffix(Path(image)) == mask


def test_a_broken_file_is_described_by_its_content_and_its_name(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(9))
    with pytest.raises(SegappError, match=r"a\.jpg: .*PNG of 17 bytes, although it is named \.jpg"):
        read_raw(tmp_path / "a.jpg")
