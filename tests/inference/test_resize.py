"""Images to the training's size, logits back."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from segapp.errors import SegappError
from segapp.inference.readable_image import ArrayImage
from segapp.inference.resize import enlarge, resize_pixels, shrink
from tests.inference.runtimes import LocalRuntime


@pytest.mark.parametrize("channels", [1, 3, 5, 16])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("size", [(20, 30), (90, 110)])
def test_resizing_keeps_channels_and_dtype(channels, dtype, size):
    pixels = np.broadcast_to(np.arange(channels), (50, 60, channels)).astype(dtype)
    small = resize_pixels(pixels, size)
    assert small.shape == (*size, channels)
    assert small.dtype == dtype
    assert np.allclose(small, np.arange(channels))


def test_shrinking_averages_areas():
    checkers = (np.indices((40, 40)).sum(0) % 2 * 200).astype(np.uint8)[..., None]
    assert (resize_pixels(checkers, (20, 20)) == 100).all()


@pytest.mark.parametrize("size", [(50, 70), (11, 13), (7, 9), (1, 1)])
@pytest.mark.parametrize("rows", [1, 8, 1000])
def test_logits_grow_as_torch_interpolates(size, rows):
    logits = np.random.default_rng(0).normal(size=(3, 11, 13)).astype(np.float32)
    expected = F.interpolate(torch.from_numpy(logits)[None], size, mode="bilinear", align_corners=False)[0]
    parts = list(enlarge(LocalRuntime(), logits, size, rows))
    assert [y for y, _ in parts] == list(range(0, size[0], rows))
    assert np.allclose(np.concatenate([band for _, band in parts], axis=1), expected.numpy(), atol=1e-5)


def test_an_image_too_large_to_read_whole_is_refused():
    huge = ArrayImage(np.broadcast_to(np.uint8(0), (20000, 20000, 3)), "slide.tif")
    with pytest.raises(SegappError, match=r"slide\.tif: 20000 x 20000 pixels.*train with data\.crop"):
        shrink(huge, (256, 256))
