"""Decoded tiles are remembered up to a number of bytes, and a window never shows those of another file."""

import os

import numpy as np
import tifffile

from segapp.io import Image
from segapp.io.formats import tiff_pixels
from segapp.io.formats.tile_cache import TileCache


def test_the_ones_last_asked_for_stay_up_to_so_many_bytes():
    made = []

    def ask(recent, key):
        return recent.get(key, lambda: made.append(key) or np.full(4, key, np.uint8))

    recent = TileCache(8)
    for key in (1, 2, 1, 3, 1, 2):  # 3 needs the room of 2, which was asked for before 1
        np.testing.assert_array_equal(ask(recent, key), [key] * 4)
    assert made == [1, 2, 3, 2]


def test_what_is_larger_than_the_room_is_made_anew_and_pushes_nothing_out():
    recent = TileCache(8)
    small = recent.get("small", lambda: np.zeros(8, np.uint8))
    for _ in range(2):
        assert recent.get("large", lambda: np.zeros(9, np.uint8)).size == 9
    assert recent.get("small", lambda: np.ones(8, np.uint8)) is small


def test_each_tile_is_decoded_once_for_all_windows_on_it(tmp_path, monkeypatch):
    decoded, decode = [], tiff_pixels._decode_segment
    monkeypatch.setattr(tiff_pixels, "_decode_segment", lambda *given: decoded.append(given[-1]) or decode(*given))
    pixels = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    path = tmp_path / "tiles.tif"
    tifffile.imwrite(path, pixels, tile=(32, 32), photometric="rgb", compression="adobe_deflate")
    image = Image(path)
    for y in range(0, 33, 8):
        for x in range(0, 65, 8):
            np.testing.assert_array_equal(image.read_window(y, x, 32, 32), pixels[y : y + 32, x : x + 32])
    assert sorted(decoded) == [0, 1, 2, 3, 4, 5]


def test_a_file_that_was_replaced_is_read_again(tmp_path):
    path = tmp_path / "one.tif"
    for value in (3, 200):
        tifffile.imwrite(path, np.full((32, 32), value, np.uint8), tile=(32, 32), compression="adobe_deflate")
        os.utime(path, ns=(value, value))
        assert (Image(path).read() == value).all()
