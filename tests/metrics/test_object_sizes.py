"""Objects of chosen areas, found, missed and imagined."""

import math

import pytest
import torch

from segapp.metrics import ObjectSizes, ScoreCollector


def test_objects_count_by_their_own_area() -> None:
    target, prediction = torch.zeros(200, 400, dtype=torch.uint8), torch.zeros(200, 400, dtype=torch.uint8)
    target[:31, :33] = prediction[:31, :33] = 1  # 1023: small, found
    target[:32, 40:72] = 1  # 1024: medium, found as 960 pixels, which are small
    prediction[:30, 40:72] = 1
    target[100:196, :96] = 1  # 9216: large, missed
    prediction[100:103, 200:203] = 1  # small, imagined
    scores = ScoreCollector(("ground", "cell"), 0, [ObjectSizes])
    scores.update(prediction, target, "a")
    flat = scores.compute().flat
    assert flat["object_f1_small/dataset"] == pytest.approx(2 / 3) and flat["object_f1_medium/image"] == 1
    assert flat["object_f1_large/dataset/cell"] == 0 and math.isnan(flat["object_f1_large/dataset/ground"])
