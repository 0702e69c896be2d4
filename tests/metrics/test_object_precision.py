"""Average precision against sets of pixels that are matched one threshold at a time."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from segapp.metrics import Comparison, ObjectPrecision
from tests.metrics.test_boundary import drawn
from tests.metrics.test_objects import find_regions


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=15)
def test_it_is_the_mean_over_thresholds_of_hits_beside_hits_and_errors(seed: int) -> None:
    prediction, mask = drawn(seed)
    score = ObjectPrecision("abc", None)
    row = score.update(Comparison(torch.from_numpy(prediction), torch.from_numpy(mask), 3))
    found = {name: values[0].tolist() for name, values in score.measure(row[None]).items()}
    for label in range(3):
        ours, theirs = (find_regions((indices == label) & (mask != 255)) for indices in (prediction, mask))
        expected = []
        for threshold in (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95):
            hits = sum(len(a & b) / len(a | b) > threshold for a in ours for b in theirs)
            errors = len(ours) - hits + len(theirs) - hits
            expected.append(hits / (hits + errors) if ours or theirs else math.nan)
        assert found["object_ap"][label] == pytest.approx(np.mean(expected), nan_ok=True)
        assert found["object_ap50"][label] == pytest.approx(expected[0], nan_ok=True)
        assert found["object_ap75"][label] == pytest.approx(expected[5], nan_ok=True)


def test_an_iou_at_a_threshold_is_no_match() -> None:
    target, prediction = torch.zeros(1, 20, dtype=torch.uint8), torch.zeros(1, 20, dtype=torch.uint8)
    target[0, :20] = prediction[0, :11] = 1  # IoU 0.55
    row = ObjectPrecision("ab", 0).update(Comparison(prediction, target, 2))
    assert row[:4, 1].tolist() == [1, 1, 1, 0] and not row[:, 0].any()
