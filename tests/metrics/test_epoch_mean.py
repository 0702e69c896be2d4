"""The mean over an epoch."""

import pytest
import torch

from segapp.metrics import EpochMean


def test_values_count_as_often_as_they_have_samples():
    mean = EpochMean()
    assert float(mean(torch.tensor(2.0), 3)) == 2.0  # what is shown of a step is that step's
    mean(torch.tensor(6.0), 1)
    assert float(mean.compute()) == 3.0


def test_an_interrupted_epoch_goes_on():
    whole, first, second = EpochMean(), EpochMean(), EpochMean()
    for value, part in ((0.3, first), (0.7, first), (0.1, second)):
        whole(torch.tensor(value), 4)
        if part is first:
            first(torch.tensor(value), 4)
    second.restore(first.sums)
    second(torch.tensor(0.1), 4)
    assert float(second.compute()) == pytest.approx(float(whole.compute()), rel=1e-6)
