"""A network whose numbers are none is never within a tolerance."""

import numpy as np

from segapp.export.verify import TOLERANCES, compare_runtimes
from segapp.inference.readable_image import ArrayImage
from tests.inference.checkpoints import make_spec
from tests.inference.runtimes import LocalRuntime


class OddSizesFail(LocalRuntime):
    """Right in its windows, NaN for every other size."""

    def __call__(self, images):
        logits = super().__call__(images)
        return logits if images.shape[2:] == (64, 64) else logits * np.nan


def test_numbers_that_are_none_do_not_pass_wherever_they_are():
    spec = make_spec()
    images = [ArrayImage(np.zeros((64, 64, 3), np.uint8))]
    assert compare_runtimes(LocalRuntime(2), LocalRuntime(2), spec, images, TOLERANCES["fp32"]).passed
    assert not compare_runtimes(LocalRuntime(2), OddSizesFail(2), spec, images, TOLERANCES["fp32"]).passed
