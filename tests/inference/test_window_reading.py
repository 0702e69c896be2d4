"""Grids of windows, and batches of them."""

import numpy as np
import pytest

from segapp.errors import SegappError
from segapp.inference.engine import Engine
from segapp.inference.readable_image import ArrayImage
from segapp.inference.window_reading import crop_padding, make_grid, read_batch
from tests.inference.runtimes import LocalRuntime
from tests.inference.test_engine import make_spec


def image_of(height, width, channels=3):
    return ArrayImage(np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8), "it")


def test_a_batch_holds_its_windows_and_zeros():
    spec, image = make_spec(window=(32, 32)), image_of(40, 60)
    grid = make_grid(image, spec, False)
    images, errors = read_batch([(grid, 0, 0), (grid, 8, 20)], spec, 3)
    assert images.shape == (3, 3, 32, 32) and images.dtype == np.uint8 and errors == [None, None]
    assert (images[1].transpose(1, 2, 0) == image.pixels[8:40, 20:52]).all()
    assert not images[2].any()


def test_a_small_image_is_mirrored_around_and_cropped_again():
    spec, image = make_spec(window=(32, 32)), image_of(20, 30)
    grid = make_grid(image, spec, False)
    images, _ = read_batch([(grid, 0, 0)], spec, 1)
    assert images[0].any((1, 2)).all() and (images[0, :, 5] == images[0, :, 7]).all()  # around row 6, the first one
    assert (crop_padding(grid, images[0], spec.window).transpose(1, 2, 0) == image.pixels).all()


def test_an_image_with_other_channels_keeps_its_error_in_its_grid():
    spec = make_spec(window=(32, 32))
    grid = make_grid(image_of(40, 40, 4), spec, False)
    _, (error,) = read_batch([(grid, 0, 0)], spec, 1)
    assert isinstance(error, SegappError) and "it: " in str(error) and "4 channels" in str(error)


class Raw(ArrayImage):
    """Pixels of somebody's own class, which checks nothing."""

    def __post_init__(self):
        pass


@pytest.mark.parametrize("pixels", [np.float32([0, 128, 255]), np.float32([-1, 0, 1]), np.uint16([0, 9, 65535])])
def test_windows_of_another_range_are_refused_whoever_reads_them(pixels):
    image = np.broadcast_to(pixels.reshape(1, 3, 1), (40, 3, 3))
    with pytest.raises(SegappError, match=r"floating point values of|holds uint16"):
        Engine(LocalRuntime(), make_spec()).segment(Raw(image))
