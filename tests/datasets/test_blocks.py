"""Blocks are read as images of their own."""

import numpy as np
import pytest

from segapp.datasets.block_geometry import BlockSize
from segapp.datasets.blocks import BlockIndex, ImageBlock, MaskBlock
from segapp.datasets.source import Item
from segapp.errors import MisuseError


class Whole:
    """An image that notes what is read of it."""

    def __init__(self, pixels):
        self.pixels, self.shape, self.dtype, self.windows = pixels, pixels.shape, pixels.dtype, []

    def read(self):
        raise AssertionError("a block reads its window only")

    def read_window(self, y, x, h, w):
        self.windows.append((y, x, h, w))
        return self.pixels[y : y + h, x : x + w]


PIXELS = np.arange(60 * 80, dtype=np.uint16).reshape(60, 80)


def test_a_block_reads_what_lies_in_it():
    whole = Whole(PIXELS[..., None])
    block = ImageBlock(whole, (20, 40, 20, 30))
    assert (block.shape, block.dtype) == ((20, 30, 1), np.uint16)
    np.testing.assert_array_equal(block.read()[..., 0], PIXELS[20:40, 40:70])
    np.testing.assert_array_equal(block.read_window(3, 5, 2, 4)[..., 0], PIXELS[23:25, 45:49])
    assert whole.windows == [(20, 40, 20, 30), (23, 45, 2, 4)]
    mask = MaskBlock(Whole(PIXELS), (20, 40, 20, 30), (60, 80))
    assert mask.shape == (20, 30)
    np.testing.assert_array_equal(mask.read(), PIXELS[20:40, 40:70])


def test_a_mask_of_another_size_than_its_image_is_refused():
    mask = MaskBlock(Whole(PIXELS), (20, 40, 20, 30), (60, 90))
    with pytest.raises(MisuseError, match=r"60 x 90 .* 60 x 80"):
        mask.read()


def test_blocks_have_names_by_row_and_column_and_small_images_keep_theirs():
    index = BlockIndex({"a": (60, 80), "b": (40, 40)}, BlockSize(40, 4))
    assert index.list_names("a") == ["a@r0c0", "a@r0c1", "a@r1c0", "a@r1c1"]
    assert index.list_names("b") == ["b"]
    items = [Item(name, name, Whole(PIXELS[..., None]), None) for name in ("a", "b")]
    block, image = index.cut_items(items, ["a@r1c1", "b"])
    assert (block.name, block.group, block.image.window) == ("a@r1c1", "a", (30, 40, 30, 40))
    assert image is items[1]


def test_more_blocks_than_anyone_looks_at_are_refused():
    with pytest.raises(MisuseError, match=r"'a' .*size"):
        BlockIndex({"a": (2**20, 2**20)}, BlockSize(32, 4))


def test_a_block_with_the_name_of_an_image_is_refused():
    with pytest.raises(MisuseError, match="'a@r0c1'"):
        BlockIndex({"a": (60, 80), "a@r0c1": (40, 40)}, BlockSize(40, 4))
