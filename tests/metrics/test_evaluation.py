"""The scores of a data set: values, and the table of images."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from segapp.metrics import ScoreCollector
from tests.metrics.image_sets import CLASSES, Pair, filled, images, rates


def test_two_images_by_hand() -> None:
    """Cell: image 0 has TP 1, FP 1, FN 0, image 1 TP 1, FP 0, FN 3; border is predicted once and never true."""
    scores = ScoreCollector(("ground", "cell", "border"), 0)
    scores.update(torch.tensor([[1, 1, 0]]), torch.tensor([[1, 0, 255]]), "a")
    scores.update(torch.tensor([[1, 0, 0, 2]]), torch.tensor([[1, 1, 1, 1]]), "b")
    evaluation = scores.compute()
    result = evaluation.flat
    assert result["dice/dataset/cell"] == pytest.approx(4 / (4 + 1 + 3))
    assert result["iou/dataset/cell"] == pytest.approx(2 / 6)
    assert result["dice/image/cell"] == pytest.approx((2 / 3 + 2 / 5) / 2)
    assert result["dice/dataset/border"] == result["dice/image/border"] == 0
    assert result["dice/dataset"] == pytest.approx((4 / 8 + 0) / 2)
    assert result["dice/image"] == pytest.approx((2 / 3 + (2 / 5 + 0) / 2) / 2)  # border occurs in one image
    assert result["dice/image/ground"] == 0
    assert evaluation.confusion.tolist() == [[0, 1, 0], [2, 2, 1], [0, 0, 0]]
    assert evaluation.support == {"ground": 2, "cell": 2, "border": 1}


@pytest.mark.parametrize("pairs", [[], [(np.zeros((3, 3), np.uint8), np.full((3, 3), 255, np.uint8))]])
def test_nothing_to_score_is_nan(pairs: list[Pair]) -> None:
    scores = filled(pairs, background=0)
    assert all(math.isnan(value) for value in scores.compute().flat.values())
    assert scores.compute().support == dict.fromkeys(CLASSES, 0)


def test_the_only_class_may_be_the_background() -> None:
    scores = ScoreCollector(["all"], 0)
    scores.update(torch.zeros(2, 2, dtype=torch.uint8), torch.zeros(2, 2, dtype=torch.uint8), "a")
    evaluation = scores.compute()
    result = evaluation.flat
    assert math.isnan(result["dice/dataset"]) and result["dice/dataset/all"] == 1


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=30)
def test_support_counts_the_images_of_each_mean(seed: int) -> None:
    pairs = images(seed, 6)
    scores = filled(pairs)
    expected = {name: sum(not math.isnan(rates([pair], c)[0]) for pair in pairs) for c, name in enumerate(CLASSES)}
    assert scores.compute().support == expected


def test_the_table_of_images_has_their_means_before_their_classes() -> None:
    scores = ScoreCollector(("ground", "cell"), 0)
    scores.update(torch.tensor([[1, 1, 0]]), torch.tensor([[1, 0, 255]]), "b")
    scores.update(torch.tensor([[0, 0]]), torch.tensor([[0, 0]]), "a")
    header, rows = scores.compute().tabulate()
    table = [dict(zip(header, row, strict=True)) for row in rows]
    assert [row["name"] for row in table] == ["a", "b"]
    assert math.isnan(table[0]["dice"]) and table[0]["dice/ground"] == 1  # a shows nothing but the background
    assert table[1]["dice"] == table[1]["dice/cell"] == pytest.approx(2 / 3)
    assert (table[1]["tp/cell"], table[1]["fp/cell"], table[1]["fn/cell"]) == (1, 1, 0)


def test_volumes_are_scored_by_the_counts_of_their_slices() -> None:
    """Cell: volume v has TP 1 and FP 1 in one slice, TP 1 and FN 3 in the other; w has TP 1 alone."""
    scores = ScoreCollector(("ground", "cell"), 0)
    scores.update(torch.tensor([[1, 1, 0]]), torch.tensor([[1, 0, 255]]), "p/v/axial=0")
    scores.update(torch.tensor([[1, 0, 0, 0]]), torch.tensor([[1, 1, 1, 1]]), "p/v/axial=1")
    scores.update(torch.tensor([[1]]), torch.tensor([[1]]), "w/coronal=07")
    scores.update(torch.tensor([[1]]), torch.tensor([[0]]), "photo")
    volumes = scores.compute().sum_volumes()
    assert volumes is not None and [image.name for image in volumes.images] == ["p/v", "w"]
    assert volumes.flat["dice/image"] == pytest.approx((4 / (4 + 1 + 3) + 1) / 2)
    assert volumes.flat["iou/image/cell"] == pytest.approx((2 / 6 + 1) / 2)
    plain = ScoreCollector(("ground", "cell"), 0)
    plain.update(torch.tensor([[1]]), torch.tensor([[1]]), "axial=0")
    assert plain.compute().sum_volumes() is None
