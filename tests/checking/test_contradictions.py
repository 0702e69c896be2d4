"""Masks that a network contradicts: values by hand, and wrong masks at the top of the ranking."""

import numpy as np
import pytest

from segapp.checking.contradicted_objects import DeniedObjects, Region
from segapp.checking.contradictions import (
    Contradiction,
    Doubts,
    find_contradictions,
    measure_confidence,
    measure_contradiction,
    rank_contradictions,
)
from segapp.datasets.source import Item
from segapp.errors import SegappError
from segapp.inference.engine import Engine
from tests.checking.shapes import draw
from tests.inference.checkpoints import make_spec
from tests.inference.runtimes import LocalRuntime


class Bright(LocalRuntime):
    """The probability of class 1 is the brightness of the pixel, 1 … 255 of 256."""

    def __call__(self, images):
        probability = (images.astype(np.float32).mean(axis=1) + 0.5) / 256
        return np.stack([np.log1p(-probability), np.log(probability)], axis=1)


class InMemory:
    """An image or a mask in memory."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels, self.shape, self.dtype = pixels, pixels.shape, pixels.dtype

    def read(self):
        return self.pixels

    def read_window(self, y, x, h, w):
        return self.pixels[y : y + h, x : x + w]


class Unreadable(InMemory):
    def read(self):
        raise SegappError("it is damaged.")


def make_item(name: str, image: np.ndarray, mask: np.ndarray) -> Item:
    return Item(name, name, InMemory(image), InMemory(mask))


class Sure(LocalRuntime):
    """Nearly certain of class 1 from a brightness of 90, as a trained network is."""

    def __call__(self, images):
        logit = (images.astype(np.float32).mean(axis=1) - 90) / 4
        return np.stack([-logit, logit], axis=1)


def make_engine(runtime=Bright) -> Engine:
    return Engine(runtime(2), make_spec(), 1)


def test_regions_are_counted_and_lines_are_not():
    mask, likelier, margin = (
        np.zeros((20, 30), np.uint8),
        np.full((20, 30), 255, np.uint8),
        np.zeros((20, 30), np.float32),
    )
    mask[:, 20:] = 2  # a class that takes no part
    likelier[2:6, 3:8], margin[2:6, 3:8] = 1, 0.5
    likelier[10, :15], margin[10, :15] = 1, 0.9
    found = measure_contradiction("a", mask, Doubts(mask, likelier, margin), None)
    assert found.margins == {(0, 1): pytest.approx(4 * 5 * 0.5)}
    assert found.deep_margins[0, 1] == pytest.approx(0.5 * (14 * 1 + 6 * 2), rel=0.06)  # 14 of 20 pixels at the edge
    assert found.pixels == {0: 400, 2: 200}
    assert found.fraction == pytest.approx(20 / 600)
    assert found.region in (Region(0, 1, 20, (row, 5)) for row in (3, 4))


def test_what_is_not_labelled_cannot_be_contradicted():
    mask, likelier = np.full((8, 8), 255, np.uint8), np.ones((8, 8), np.uint8)
    mask[0, 0] = 0
    doubts = Doubts(likelier, likelier, np.ones((8, 8), np.float32))
    assert not measure_contradiction("a", mask, doubts, None).margins


def make_contradiction(name: str, pair: tuple[int, int], margin: float, pixels: dict[int, int]) -> Contradiction:
    """Return one whose pixels lie 2 pixels deep."""
    return Contradiction(name, margins={pair: margin}, deep_margins={pair: 2 * margin}, pixels=pixels)


def test_what_is_often_confused_counts_less_than_what_is_rarely():
    pixels = {0: 100, 1: 100, 2: 50}
    usual = [make_contradiction(f"{n}", (n % 2, 1 - n % 2), 30.0, pixels) for n in range(9)]
    rare = make_contradiction("rare", (2, 0), 25.0, pixels)
    first, *others, clean = rank_contradictions([*usual, None, Contradiction("clean", pixels={0: 200}), rare])
    assert first.name == "rare" and first.score == pytest.approx(2 * 25 / 50 / 250**0.5 / (25 / 1700) ** 0.5)
    assert [one.score for one in others] == pytest.approx(
        [2 * 30 / 100 / 250**0.5 / (270 / 2200) ** 0.5] * 9
    )  # in both directions
    assert clean.name == "clean" and clean.score == 0


def deny(strength: float) -> DeniedObjects:
    return DeniedObjects({(True, 1): strength}, {(True, 1): strength}, {(True, 1): Region(0, 1, 9, (3, 4))})


def test_an_unusually_denied_object_gives_a_mask_a_better_place():
    pixels = {0: 100, 1: 100}
    weak = [make_contradiction(f"{margin}", (0, 1), float(margin), pixels) for margin in range(90, 10, -10)]
    ranked = rank_contradictions([*weak, Contradiction("object", objects=deny(0.5), pixels=pixels)])
    assert [one.name for one in ranked] == ["90", "object", *(f"{margin}" for margin in range(80, 10, -10))]
    assert ranked[1].region == Region(0, 1, 9, (3, 4)) and ranked[1].score == 0
    assert ranked[1].object_score == pytest.approx(0.5 / (0.5 / 9) ** 0.5)


def test_objects_that_are_denied_as_usual_change_no_place():
    pixels = {0: 100, 1: 100}
    denied = [Contradiction(f"{n}", objects=deny(0.1 * (n + 1)), pixels=pixels) for n in range(8)]
    lead = make_contradiction("pixels", (0, 1), 50.0, pixels)
    assert [one.name for one in rank_contradictions([*denied, lead])] == ["pixels", *map(str, range(8))]
    assert rank_contradictions([]) == []


def test_the_confidence_of_a_class_is_the_mean_where_it_is_labelled():
    image = np.zeros((70, 90, 3), np.uint8)
    mask = np.zeros((70, 90), np.uint8)
    image[:30], mask[:30] = 200, 1
    image[30:50] = 100
    mask[60:] = 255
    expected = [(20 * (1 - 100.5 / 256) + 10 * (1 - 0.5 / 256)) / 30, 200.5 / 256]
    np.testing.assert_allclose(measure_confidence(make_engine(), [make_item("a", image, mask)]), expected, rtol=1e-5)
    assert np.isinf(measure_confidence(make_engine(), [make_item("a", image, np.zeros_like(mask))])[1])


def test_wrong_masks_lead_the_ranking():
    items = []
    for number in range(20):
        image, stored = draw(number)
        mask = (stored > 0).astype(np.uint8)
        if number == 7:
            mask = mask[::-1].copy()
        if number == 13:
            mask[:] = 0
        items.append(make_item(str(number), image, mask))
    items.append(make_item("other size", np.zeros((9, 9, 3), np.uint8), np.zeros((8, 9), np.uint8)))
    items.append(Item("damaged", "damaged", Unreadable(np.zeros((9, 9, 3), np.uint8)), InMemory(np.zeros((9, 9)))))
    found = list(find_contradictions(make_engine(Sure), items))
    assert found[-2:] == [None, None]
    ranking = rank_contradictions(found)
    assert {one.name for one in ranking[:2]} == {"7", "13"}
    assert ranking[1].score > 3 * ranking[2].score
    (empty,) = [one for one in ranking if one.name == "13"]
    assert (empty.region.labelled, empty.region.predicted) == (0, 1)
