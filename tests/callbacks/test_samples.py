"""Samples are drawn in the colours of the classes."""

import numpy as np
import pytest

from segapp.callbacks import SamplePictures
from segapp.callbacks.samples import draw_sample
from segapp.errors import MisuseError
from segapp.spec import Spec

SPEC = Spec(classes=("background", "cell"), background=0, palette=((0, 0, 0), (9, 8, 7)), channels=1)


def test_a_sample_is_its_image_its_target_and_its_prediction():
    image = np.array([[[0, 1.0]]], np.float32)
    panels = draw_sample(image, np.array([[1, 255]], np.uint8), np.array([[0, 1]], np.uint8), SPEC)
    assert [panel.tolist() for panel in panels] == [
        [[[0, 0, 0], [255, 255, 255]]],
        [[[9, 8, 7], [128, 128, 128]]],
        [[[0, 0, 0], [9, 8, 7]]],
    ]


@pytest.mark.parametrize("given", [{"images": 0}, {"every_n_epochs": 0}], ids=str)
def test_counts_begin_at_one(given):
    with pytest.raises(MisuseError, match="SamplePictures"):
        SamplePictures(**given)
