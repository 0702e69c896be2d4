"""The figures of a data set show what was measured."""

import numpy as np
import pytest

from segapp.datasets.source import Item
from segapp.planning.figures import draw_classes, draw_intensities, draw_objects, draw_outlines, draw_sizes
from tests.loading.conftest import Pixels
from tests.planning.fingerprints import facts, fingerprint


def test_sizes_are_drawn_once_each_as_large_as_they_are_frequent():
    figure = draw_sizes(fingerprint(*(facts(f"{i}", size=(60, 80 if i else 40)) for i in range(4))), (32, 48))
    images, sample = figure.axes[0].collections
    assert images.get_offsets().tolist() == [[40, 60], [80, 60]]
    assert np.diff(images.get_sizes()) > 0
    assert sample.get_offsets().tolist() == [[48, 32]]


def test_classes_are_drawn_by_their_pixels_and_their_images():
    figure = draw_classes(fingerprint(facts("a", counts=(75, 25)), facts("b", counts=(100, 0))))
    pixels, images = ([bar.get_width() for bar in axes.patches] for axes in figure.axes)
    assert pixels == pytest.approx([0.875, 0.125])
    assert images == pytest.approx([1.0, 0.5])


def test_objects_are_drawn_by_the_area_that_they_cover():
    figure = draw_objects(fingerprint(facts("a", extents=(4, 8))), (32, 48))
    (stairs,) = figure.axes[0].patches
    heights, edges, _ = stairs.get_data()
    inside = {side: heights[np.searchsorted(edges, side, side="right") - 1] for side in (4, 8)}
    assert inside == {4: pytest.approx(16 / 80), 8: pytest.approx(64 / 80)}
    assert figure.axes[0].lines[0].get_xdata()[0] == 48
    figure.draw_without_rendering()
    labels = {label.get_text() for which in ("major", "minor") for label in figure.axes[0].get_xticklabels(which=which)}
    assert {"5", "10", "20"} <= labels and not any("10^" in label for label in labels)


def test_intensities_are_drawn_as_the_median_of_the_images():
    figure = draw_intensities(fingerprint(*(facts(f"{i}") for i in range(3))))
    median = figure.axes[0].lines[0]
    assert median.get_xdata()[0] == pytest.approx(0.5 / 32) and median.get_ydata() == pytest.approx([1 / 32] * 32)


def test_outlines_are_drawn_of_every_class_but_the_background():
    mask = np.zeros((40, 80), np.uint8)
    mask[10:20, 10:30], mask[:, 60:] = 1, 255
    item = Item("a", "a", Pixels(np.full((40, 80, 1), 0.5, np.float32)), Pixels(mask))
    shown, factor = draw_outlines(item, ((0, 0, 0), (255, 0, 0)), 0, 40)
    assert factor == 0.5 and shown.shape == (20, 40, 3)
    red = np.argwhere((shown == (255, 0, 0)).all(axis=2))
    assert red.min(axis=0).tolist() == [5, 5] and red.max(axis=0).tolist() == [9, 14]
    assert shown[7, 10].tolist() == [127, 127, 127]
    shown, factor = draw_outlines(item, ((0, 0, 0), (255, 0, 0)), 0, 320)
    assert factor == 3 and shown.shape == (120, 240, 3)  # small ones are enlarged by a whole number
