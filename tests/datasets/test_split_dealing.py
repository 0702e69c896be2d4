"""Groups are dealt to splits and folds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segapp.datasets.split_dealing import Group, deal_at_random, deal_evenly, deal_in_order, deal_stratified


def groups(*sizes, held=()):
    """Groups g0, g1, … of these sizes; `held` are the classes in all images of each."""
    classes = held or [()] * len(sizes)
    counted = [dict.fromkeys(own, size) for own, size in zip(classes, sizes, strict=True)]
    return [Group(f"g{n}", size, own) for n, (size, own) in enumerate(zip(sizes, counted, strict=True))]


def sizes(parts):
    return {split: sum(group.size for group in part) for split, part in parts.items()}


DEALS = [
    lambda given, images: deal_at_random(given, images, 0),
    lambda given, images: deal_stratified(given, images, 0),
    deal_in_order,
]


@given(st.lists(st.integers(1, 9), min_size=3, max_size=30), st.sampled_from(DEALS))
def test_every_group_is_dealt_once_and_no_split_is_empty(counts, deal):
    dealt = groups(*counts)
    total = sum(counts)
    parts = deal(dealt, {"test": 0.2 * total, "val": 0.2 * total})
    assert sorted(group.name for part in parts.values() for group in part) == sorted(group.name for group in dealt)
    assert all(parts.values())


def test_a_group_passes_over_a_split_that_it_is_too_large_for():
    for seed in range(20):
        parts = deal_at_random(groups(60, *[4] * 10), {"test": 20, "val": 20}, seed)
        assert sizes(parts) == {"test": 20, "val": 20, "train": 60}


def test_half_an_image_more_is_no_excess():
    assert sizes(deal_at_random(groups(3, 7), {"val": 2.5}, 0)) == {"val": 3, "train": 7}
    assert sizes(deal_at_random(groups(*[1] * 10), {"val": 2.4}, 0)) == {"val": 2, "train": 8}


def test_the_order_is_that_of_hashes_so_that_a_new_group_moves_no_other():
    before = deal_at_random(groups(*[1] * 20), {"val": 4}, 3)
    after = deal_at_random(groups(*[1] * 21), {"val": 4}, 3)
    moved = {group.name for group in before["val"]} - {group.name for group in after["val"]}
    assert len(moved) <= 1
    assert before == deal_at_random(groups(*[1] * 20)[::-1], {"val": 4}, 3)


@pytest.mark.parametrize("seed", range(5))
def test_a_rare_class_is_in_every_split(seed):
    held = [(0, 1) if n % 7 == 0 else (0,) for n in range(21)]  # three groups of 21 hold class 1
    parts = deal_stratified(groups(*[1] * 21, held=held), {"test": 4, "val": 4}, seed)
    assert {split: sum(1 in group.classes for group in part) for split, part in parts.items()} == {
        "train": 1,
        "test": 1,
        "val": 1,
    }
    assert sizes(parts) == {"train": 13, "test": 4, "val": 4}


def test_in_order_the_last_images_are_dealt_first():
    parts = deal_in_order(groups(*[1] * 10), {"test": 2, "val": 3})
    assert {split: [group.name for group in part] for split, part in parts.items()} == {
        "test": ["g9", "g8"],
        "val": ["g7", "g6", "g5"],
        "train": ["g0", "g1", "g2", "g3", "g4"],
    }


@pytest.mark.parametrize(
    ("counts", "folds", "expected"),
    [
        ([1] * 10, 3, [3, 3, 4]),
        ([50, 1, 1, 1, 1], 3, [2, 2, 50]),  # a group that is larger than a fold has its own
        ([2, 2, 2, 2], 4, [2, 2, 2, 2]),
    ],
)
def test_folds_are_of_about_one_size(counts, folds, expected):
    found = deal_evenly(groups(*counts), folds, seed=1)
    assert sorted(sum(group.size for group in part) for part in found) == expected
    assert len({group.name for part in found for group in part}) == len(counts)
