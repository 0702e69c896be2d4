"""Colours that can be told apart, also by eyes without red or green receptors."""

import doctest

import numpy as np
import pytest

from segapp import palette
from segapp.palette import BACKGROUND, CLEAR, ERRORS, choose_error_colour, choose_palette

CAMVID = [(128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128), (60, 40, 222), (128, 128, 0)]


def distances(some, others):
    """How far apart colours are for the eye that tells them apart worst."""
    return palette._measure_distances(palette._perceive(np.array(some)), palette._perceive(np.array(others)))


def test_the_examples():
    assert not doctest.testmod(palette).failed


def test_distances_by_hand():
    assert distances([(0, 0, 0)], [(255, 255, 255)])[0, 0] == pytest.approx(1, abs=1e-3)
    assert distances([(9, 9, 9)], [(9, 9, 9)])[0, 0] == 0
    to_most = np.linalg.norm(np.subtract(*palette._perceive(np.array([(220, 60, 0), (110, 130, 0)]))[0]))
    assert distances([(220, 60, 0)], [(110, 130, 0)])[0, 0] < to_most / 2  # red and green


@pytest.mark.parametrize("count", [2, 8, 9, 40, 255])
def test_every_class_has_a_colour_of_its_own_and_the_first_are_far_apart(count):
    colours = choose_palette(count)
    assert len(set(colours)) == count
    assert colours[0] == BACKGROUND
    assert all(type(value) is int and 0 <= value <= 255 for colour in colours for value in colour)
    assert all(max(colour) > 150 for colour in colours[1:8])
    between = distances(colours[:12], colours[:12]) + np.eye(min(count, 12))
    assert between.min() > 0.07


def test_a_larger_set_begins_like_a_smaller_one():
    assert choose_palette(30)[:12] == choose_palette(12)


def test_only_a_background_is_black():
    assert BACKGROUND not in choose_palette(9, background=None)
    assert choose_palette(4, background=2)[2] == BACKGROUND
    assert choose_palette(4, background=2)[:2] == choose_palette(4)[1:3]


@pytest.mark.parametrize("colours", [choose_palette(2), choose_palette(3), choose_palette(6), CAMVID, [(128, 0, 0)]])
def test_errors_stand_out_from_every_class(colours):
    found = choose_error_colour(colours)
    nearest = distances(ERRORS, colours).min(1)
    assert nearest[ERRORS.index(found)] >= min(CLEAR, nearest.max())
    assert nearest[ERRORS.index(found)] > 0.17


def test_red_marks_errors_where_it_can_be_seen():
    assert choose_error_colour([(255, 255, 255), (150, 200, 255)]) == ERRORS[0]
