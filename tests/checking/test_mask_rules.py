"""Masks that may not belong to their image: silent where their fits vary, or few are known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from segapp.checking import mask_rules
from segapp.checking.alignment import Fit
from segapp.checking.data_set import DataSet
from segapp.checking.mask_rules import check_alignment, check_overlaps, check_shared_masks, check_swapped
from tests.checking.shapes import draw
from tests.checking.test_facts import facts_of


def make_data(fits: list[Fit]) -> DataSet:
    image, mask = draw(0)
    (one,) = facts_of((image, mask // 255))
    return DataSet(tuple(replace(one, name=f"{n}", fit=fit) for n, fit in enumerate(fits)), ("a", "b"), 0)


def test_a_mask_far_below_the_others_is_found():
    data = make_data([Fit(9 + n / 10, 9 + n / 10, "") for n in range(9)] + [Fit(1, 9, "mirrored left to right")])
    (problem,) = check_alignment(data)
    assert problem.items == ("9",) and "mirrored" in problem.message


@pytest.mark.parametrize(("misplaced", "expected"), [(1, 0), (2, 2)])
def test_parts_of_one_image_are_misplaced_together(misplaced, expected):
    data = make_data([Fit(9 + n / 10, 9 + n / 10, "") for n in range(20)] + [Fit(1, 9, "shifted")] * misplaced)
    others, parts = data.facts[: 17 + misplaced], data.facts[17 + misplaced :]  # three parts of one file
    facts = [replace(one, path=Path(f"{one.name}.png")) for one in others]
    facts += [replace(one, path=Path("scene.tif")) for one in parts]
    assert len(list(check_alignment(replace(data, facts=tuple(facts))))) == expected


def test_nothing_is_said_where_fits_vary_or_are_few():
    varied = [Fit(float(n), 12, "mirrored left to right") for n in range(12)]
    assert not list(check_alignment(make_data(varied)))
    few = [Fit(9, 9, "")] * 5 + [Fit(1, 9, "turned by 180 degrees")]
    assert not list(check_alignment(make_data(few)))


def make_set(count: int) -> list:
    return [(image, mask // 255) for image, mask in map(draw, range(count))]


@pytest.mark.parametrize("block", [5, 512])
def test_only_a_pair_that_fits_each_other_was_swapped(block, monkeypatch):
    monkeypatch.setattr(mask_rules, "BLOCK", block)  # 12 images in three blocks, or in one
    pairs = make_set(12)
    pairs[2], pairs[7] = (pairs[2][0], pairs[7][1]), (pairs[7][0], pairs[2][1])
    (problem,) = check_swapped(DataSet(tuple(facts_of(*pairs)), ("a", "b"), 0))
    assert problem.items == ("2", "7")
    assert not list(check_swapped(DataSet(tuple(facts_of(*make_set(12))), ("a", "b"), 0)))


def test_empty_masks_may_be_equal():
    pairs = [(image, np.zeros_like(mask)) for image, mask in make_set(3)]
    assert not list(check_shared_masks(DataSet(tuple(facts_of(*pairs)), ("a", "b"), 0)))


def test_overlaps_of_classes_are_counted_in_one_warning():
    data = make_data([Fit(9, 9, "")] * 3)
    assert not list(check_overlaps(data))
    facts = tuple(replace(one, overlap=count) for one, count in zip(data.facts, (0, 1200, 34), strict=True))
    (problem,) = check_overlaps(replace(data, facts=facts))
    assert problem.items == ("1", "2") and "1,234" in problem.message
