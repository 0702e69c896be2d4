"""Objects found by a flood fill and matched by sets of pixels."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from segapp.metrics import Comparison, ScoreCollector
from segapp.metrics.objects import Objects
from segapp.metrics.regions import pair_regions
from tests.metrics.test_boundary import drawn


def find_regions(mask: np.ndarray) -> list[set[tuple[int, int]]]:
    """Flood fill over edges and corners."""
    left, regions = set(map(tuple, np.argwhere(mask).tolist())), []
    while left:
        waiting, region = [left.pop()], set()
        while waiting:
            y, x = waiting.pop()
            region.add((y, x))
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= near
            waiting += near
        regions.append(region)
    return regions


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=25)
def test_matches_are_sets_of_pixels_that_share_more_than_half(seed: int) -> None:
    prediction, mask = drawn(seed)
    found = Objects("abc", None).count(pair_regions(prediction, mask), 3)
    for label in range(3):
        masks = [(indices == label) & (mask != 255) for indices in (prediction, mask)]
        ours, theirs = map(find_regions, masks)
        shared = [len(a & b) / len(a | b) for a in ours for b in theirs]
        matches = [iou for iou in shared if iou > 0.5]
        assert found[:, label] == pytest.approx((len(theirs), len(ours), len(matches), sum(matches)))


def test_quality_by_hand() -> None:
    """Image a: an object of 4 pixels found with 3, and one imagined. Image b: an object missed. Nothing in c."""
    target, prediction = torch.zeros(3, 5, 6, dtype=torch.uint8), torch.zeros(3, 5, 6, dtype=torch.uint8)
    target[0, 0, :4] = prediction[0, 0, :3] = prediction[0, 4, 5] = target[1, 2, 2] = 1
    scores = ScoreCollector(("ground", "cell"), 0, [Objects])
    for name, *masks in zip("abc", prediction, target, strict=True):
        scores.update(*masks, name)
    flat = scores.compute().flat
    assert flat["pq/dataset"] == flat["pq/dataset/cell"] == pytest.approx(0.75 / 2)
    assert flat["object_f1/dataset"] == pytest.approx(1 / 2) and flat["object_iou/dataset"] == pytest.approx(0.75)
    assert flat["pq/image"] == pytest.approx((0.75 / 1.5 + 0) / 2)
    assert math.isnan(flat["pq/dataset/ground"])
    assert flat["count_error/dataset"] == 0 and flat["count_error/image"] == 1  # 2 of 2 objects; 1 too many, 1 too few
    header, rows = scores.compute().tabulate()
    assert [row[header.index("matched_objects/cell")] for row in rows] == [1, 0, 0]
    assert "pq" not in str(scores.compute())


def test_an_image_in_which_a_class_was_not_looked_for_does_not_count() -> None:
    mask = torch.tensor([[0, 1, 0, 2]])
    scores = ScoreCollector(("ground", "cell", "dirt"), 0, [Objects])
    scores.update(mask, mask, "a")
    scores.update(torch.tensor([[0, 1, 0, 0]]), torch.tensor([[0, 0, 0, 0]]), "b", torch.tensor([True, False, True]))
    flat = scores.compute().flat
    assert flat["pq/dataset/cell"] == flat["pq/image/cell"] == 1


def test_many_objects_need_no_table_of_all_pairs() -> None:
    dots = np.zeros((400, 400), np.uint8)
    dots[::2, ::2] = 1  # 40,000 objects: 1.6 billion pairs
    assert Objects("ab", 0).count(pair_regions(dots, dots), 2)[:, 1].tolist() == [40_000] * 4


def test_ignored_pixels_divide_objects() -> None:
    target = torch.tensor([[1, 255, 1]])
    row = Objects(("ground", "cell"), 0).update(Comparison(torch.tensor([[1, 1, 1]]), target, 2))
    assert row[:, 1].tolist() == [2, 2, 2, 2] and not row[:, 0].any()
