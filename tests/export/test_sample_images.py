"""What an export is measured and calibrated on is what the network will see."""

import numpy as np

from segapp.export.sample_images import read_windows
from segapp.inference.readable_image import ArrayImage
from tests.inference.checkpoints import make_spec


def test_windows_are_of_the_image_as_the_network_sees_it():
    pixels = np.zeros((1000, 1000, 3), np.uint8)
    pixels[:400] = 255  # the middle window of the stored image has none of it
    image = ArrayImage(pixels)
    (stored,) = read_windows([image], make_spec())
    (seen,) = read_windows([image], make_spec(resize=(64, 64)))
    assert stored.shape == seen.shape == (1, 3, 64, 64)
    assert stored.mean() == 0 and abs(seen.mean() - 102) < 1
