"""The rows of the tables of an evaluation."""

import math

import numpy as np
import pytest
import torch

from segapp.metrics import TEST_SCORES, ScoreCollector
from segapp.report.evaluation_tables import (
    describe_volumes,
    list_class_rows,
    list_confusions,
    list_review_rows,
    list_score_rows,
    list_volume_rows,
    make_confusion_cells,
)


@pytest.fixture(scope="module")
def evaluation():
    """Of one image of 100 pixels: 60 ground, 30 cell of which 10 are taken for border, 10 border."""
    target = torch.tensor([0] * 60 + [1] * 30 + [2] * 10, dtype=torch.uint8).reshape(10, 10)
    prediction = torch.tensor([0] * 60 + [1] * 20 + [2] * 20, dtype=torch.uint8).reshape(10, 10)
    collector = ScoreCollector(("ground", "cell", "border"), 0, TEST_SCORES)
    collector.update(prediction, target, "a")
    return collector.compute()


def test_scores_are_listed_with_their_intervals(evaluation):
    brief, others = list_score_rows(evaluation, {"dice/dataset": (0.5, 0.9)})
    (row,) = (row for row in brief if row["score"] == "dice/dataset")
    assert row["value"] == pytest.approx((40 / 50 + 20 / 30) / 2)
    assert (row["95 % from"], row["to"], row["better"]) == (0.5, 0.9, "more")
    assert {row["score"] for row in brief}.isdisjoint(row["score"] for row in others)
    assert next(row for row in [*brief, *others] if row["score"] == "hd95/image")["better"] == "less"


def test_classes_have_their_share_and_scores(evaluation):
    ground, cell, border = list_class_rows(evaluation, {"dice/dataset/cell": (0.7, 0.8)})
    assert (ground["% of pixels"], cell["% of pixels"], border["images"]) == ("60", "30", 1)
    assert cell["dice/dataset"] == pytest.approx(0.8) and border["precision/dataset"] == pytest.approx(0.5)
    assert cell["dice/dataset 95 %"] == "0.7000 … 0.8000" and border["dice/dataset 95 %"] == "–"


def test_confusions_are_in_percent_of_the_true_class(evaluation):
    cells = make_confusion_cells(evaluation.confusion.numpy())
    assert cells[1][2].percent == pytest.approx(100 / 3) and cells[1][2].pixels == 10 and not cells[1][2].is_right
    assert cells[0][0].is_right and make_confusion_cells(np.zeros((1, 1), int))[0][0].percent is None
    assert list_confusions(evaluation) == [
        {"truth": "cell", "prediction": "border", "pixels": 10, "% of the class": "33.33"}
    ]


def test_a_review_is_in_percent():
    found = {"fraction": 0.05, "images": 1200, "wrong_pixels": 0.25, "wrong_pixels_possible": 0.5, "worst_images": None}
    (row,) = list_review_rows({"reviewed": [found]})
    assert list(row.values()) == ["5% (1,200)", "25.0", "50.0", "–"]


def test_volumes_have_their_mean_and_the_dice_of_every_class():
    collector = ScoreCollector(("ground", "a", "b"), 0)
    collector.update(torch.tensor([[1, 1, 2, 0]]), torch.tensor([[1, 1, 2, 0]]), "good")
    collector.update(torch.tensor([[1, 0, 0, 0]]), torch.tensor([[1, 1, 1, 0]]), "bad")
    volumes = collector.compute()
    mean, bad, good = list_volume_rows(volumes)
    assert good == {"volume": "good", "dice": 1, "iou": 1, "dice/a": 1, "dice/b": 1}
    assert (bad["volume"], bad["dice"], bad["dice/a"]) == ("bad", 0.5, 0.5) and math.isnan(bad["dice/b"])
    assert (mean["volume"], mean["dice"], mean["dice/a"], mean["dice/b"]) == ("mean", 0.75, 0.75, 1)
    assert describe_volumes(volumes) == {"volumes": "2", "dice/volume": "0.750"} and describe_volumes(None) == {}
