"""Images that occur twice."""

import numpy as np

from segapp.checking import duplicates
from segapp.checking.duplicates import find_alike, find_equal
from tests.checking.shapes import draw
from tests.checking.test_facts import facts_of


def make_facts():
    (image, mask), (other, other_mask) = draw(0), draw(1)
    darker = (image * 0.8).astype(np.uint8)
    return facts_of((image, mask // 255), (other, other_mask // 255), (image, other_mask // 255), (darker, mask // 255))


def test_equal_pixels_are_one_group_whatever_their_masks():
    assert [[one.name for one in group] for group in find_equal(make_facts())] == [["0", "2"]]


def test_images_that_look_alike_are_pairs_and_equal_ones_are_not(monkeypatch):
    pairs = [(first.name, second.name) for first, second in find_alike(make_facts())]
    assert pairs == [("0", "3"), ("2", "3")]
    monkeypatch.setattr(duplicates, "BLOCK", 1)
    assert [(first.name, second.name) for first, second in find_alike(make_facts())] == pairs


def test_black_frames_are_not_duplicates():
    _, mask = draw(0)
    black = np.zeros((*mask.shape, 3), np.uint8)
    facts = facts_of((black, mask // 255), (black, mask // 255))
    assert not find_equal(facts) and not list(find_alike(facts))
