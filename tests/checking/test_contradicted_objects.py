"""Objects that one side denies: strengths by hand, and what is no denied object."""

import numpy as np
import pytest

from segapp.checking.contradicted_objects import DeniedObjects, Region, find_denied_objects, weigh_objects


def find(mask, predicted, margin=0.5, background=0):
    """Compare classes of which every difference is confident."""
    mask, predicted = (np.array(each, np.uint8) for each in (mask, predicted))
    likelier = np.where((mask != predicted) & (mask != 255), predicted, 255).astype(np.uint8)
    return find_denied_objects(mask, predicted, likelier, np.full(mask.shape, margin, np.float32), background)


def make_square(size=10, top=2, side=4, value=1):
    classes = np.zeros((size, size), np.uint8)
    classes[top : top + side, top : top + side] = value
    return classes


def test_a_missing_object_and_one_too_many():
    empty, square = np.zeros((10, 10), np.uint8), make_square()
    strength = 0.5 * 4 / 10  # margin x side / image's side
    for mask, predicted, is_lacking in ((empty, square, True), (square, empty, False)):
        found = find(mask, predicted)
        assert found.strengths == {(is_lacking, 1): pytest.approx(strength)} and found.sums == found.strengths
        labelled, seen = (0, 1) if is_lacking else (1, 0)
        assert found.regions == {(is_lacking, 1): Region(labelled, seen, 16, (4, 4))}  # 3.5, rounded to even


def test_an_object_of_another_class_is_both():
    assert set(find(make_square(value=1), make_square(value=2)).strengths) == {(True, 2), (False, 1)}


def test_the_background_has_no_objects_unless_every_class_has_some():
    assert set(find(make_square(), np.zeros((10, 10)), background=None).strengths) == {(False, 1)}
    assert set(find(np.ones((10, 10)), make_square(value=0) + 1, background=0).strengths) == set()
    filled = find(np.ones((10, 10)), 1 - make_square(), background=None)
    assert set(filled.strengths) == {(True, 0)} and set(find(np.ones((10, 10)), 1 - make_square()).strengths) == set()


def test_less_than_half_of_an_object_is_a_border():
    mask = make_square()
    mask[2:6, 2:4] = 0
    assert find(mask, make_square()).strengths == {(True, 1): pytest.approx(0.5 * 0.5 * 8 / (8 * 100) ** 0.5)}
    mask[2, 2] = 1
    assert not find(mask, make_square()).strengths


def test_pixels_without_a_label_are_no_part_of_an_object():
    mask, predicted = np.zeros((10, 10), np.uint8), make_square(side=6)
    mask[2:8, 2:8] = 1
    mask[2:8, 2:7] = 255
    mask[2:8, 7] = 0
    assert find(mask, predicted).regions == {(True, 1): Region(0, 1, 6, (4, 7))}


def test_the_strongest_of_several_counts_and_rates_are_of_all():
    mask, predicted = np.zeros((20, 20), np.uint8), make_square(20, 1, 3)
    predicted[8:14, 8:14] = 1
    found = find(mask, predicted)
    assert found.strengths[True, 1] == pytest.approx(0.5 * 6 / 20)
    assert found.sums[True, 1] == pytest.approx(0.5 * 9 / 20)
    (score, region), nothing = weigh_objects([found, DeniedObjects()])
    assert score == pytest.approx(0.15 / (0.225 / 2) ** 0.5)
    assert region.area == 36 and nothing == (0.0, Region())
