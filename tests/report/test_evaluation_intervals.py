"""Bootstrap intervals of scores."""

import numpy as np
import pytest
import torch

from segapp.metrics import Agreement, Boundary, Objects, ScoreCollector
from segapp.report.evaluation_intervals import estimate_intervals
from segapp.report.statistics import bootstrap_sums


def evaluate(images, seed=0):
    collector, rng = (
        ScoreCollector(("ground", "cell", "rare"), 0, (Agreement, Boundary, Objects)),
        np.random.default_rng(seed),
    )
    for index in range(images):
        target = torch.from_numpy(rng.integers(0, 2, (6, 6)))
        prediction = torch.where(torch.from_numpy(rng.random((6, 6)) < 0.2), 1 - target, target)
        if index == 0:
            target[0, 0] = 2
        collector.update(prediction, target, f"{index:03}")
    return collector.compute()


def test_intervals_are_percentiles_of_scores_of_resampled_images(monkeypatch):
    """The reference: the images of every sample are evaluated again."""
    monkeypatch.setattr("segapp.report.statistics.RESAMPLES", 6)
    evaluation = evaluate(8)
    found = estimate_intervals(evaluation, [image.name for image in evaluation.images])
    again = []
    for weights in bootstrap_sums(np.eye(8)).astype(int):
        chosen = [image for image, times in zip(evaluation.images, weights, strict=True) for _ in range(times)]
        again.append(type(evaluation)(evaluation.scores, evaluation.classes, 0, evaluation.confusion, chosen).flat)
    for name in (
        "iou/dataset",
        "dice/image/cell",
        "pq/dataset/cell",
        "surface_dice/image/cell",
        "recall/dataset/ground",
    ):
        low, high = np.percentile([scores[name] for scores in again], [2.5, 97.5])
        assert found[name] == pytest.approx((low, high)), name
    assert "dice/dataset/rare" not in found  # more than a third of the samples have no such image
    assert "dice/micro" not in found


def test_images_of_a_group_count_as_one():
    evaluation = evaluate(10)
    pairs = type(evaluation)(
        evaluation.scores, evaluation.classes, 0, 2 * evaluation.confusion, [*evaluation.images, *evaluation.images]
    )
    names = [image.name for image in evaluation.images]
    doubled, single = estimate_intervals(pairs, [*names, *names]), estimate_intervals(evaluation, names)
    assert doubled.keys() == single.keys()
    ratios = {name for name in single if not name.startswith("count_error/dataset")}  # which is a sum over images
    assert np.allclose([doubled[name] for name in ratios], [single[name] for name in ratios])
    alone = estimate_intervals(pairs, [f"{index}" for index in range(20)])["dice/dataset"]
    assert np.ptp(alone) < np.ptp(single["dice/dataset"])
    assert estimate_intervals(evaluation, ["a"] * 5 + ["b"] * 5) == {}
