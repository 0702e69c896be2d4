"""Augmentation from what was measured."""

from dataclasses import replace

import numpy as np
import pytest

from segapp.planning.augmentation import MANY_VIEWS, choose_augmentation, simplify_augmentation
from segapp.planning.fingerprint import Fingerprint
from segapp.planning.symmetry import Symmetry
from tests.planning.fingerprints import facts, fingerprint


@pytest.mark.parametrize(("mean", "turned"), [((0.5,), True), ((0.4, 0.5, 0.6), False)])
def test_few_images_are_mirrored_as_is_usual(mean, turned):
    (augment,) = choose_augmentation(fingerprint(facts("a", mean=mean), facts("b", mean=mean)))
    assert augment.value[0]["init_args"] == {"horizontal": True, "vertical": turned, "turns": False}


def choose(images, asymmetries):
    one = Fingerprint(("background", "object"), 0, images, len(images))
    motions = ("mirror left-right", "mirror up-down", "quarter turn")
    vars(one)["symmetries"] = tuple(Symmetry(m, a, 0.001) for m, a in zip(motions, asymmetries, strict=True))
    return [part["init_args"] for part in choose_augmentation(one)[0].value]


@pytest.mark.parametrize(
    ("asymmetries", "flips", "rotate"),
    [
        ((0.1, 0.1, 0.1), (True, True, True), 45),
        ((0.1, 0.9, 0.1), (True, False, False), 15),  # a quarter turn twice mirrors both ways
        ((0.1, 0.1, 0.9), (True, True, False), 15),
    ],
)
def test_measured_motions_are_used_where_they_are_safe(asymmetries, flips, rotate):
    found, affine, _ = choose((facts("a"), facts("b")), asymmetries)
    assert tuple(found.values()) == flips and affine["rotate"] == rotate


@pytest.mark.parametrize(
    ("extents", "zoom"), [((20,), [0.87, 1.15]), ((10, 15), [0.82, 1.22]), ((10, 100), [0.67, 1.5])]
)
def test_zooms_are_the_root_of_what_sizes_vary_by_within_bounds(extents, zoom):
    even = [facts(f"{i}", extents=(extent,)) for i, extent in enumerate(extents)]
    even = [replace(one, objects=(replace(one.objects[0], areas=np.ones(1)),)) for one in even]
    assert choose(tuple(even), (0.1, 0.1, 0.1))[1]["scale"] == zoom


def test_photographs_get_no_noise_and_others_a_quarter_of_their_deviation():
    assert choose((facts("a", mean=(0.4, 0.5, 0.6)),), (0.1,) * 3)[2]["noise"] == 0
    assert choose((facts("a"),), (0.1,) * 3)[2]["noise"] == 0.05  # of a variance of 0.04


def test_a_short_run_is_augmented_by_mirrorings_alone():
    decisions = choose_augmentation(fingerprint(facts("a"), facts("b")))
    (short,) = simplify_augmentation(decisions, MANY_VIEWS - 1)
    assert short.value == decisions[0].value[:1] and short.value[0]["class_path"].endswith("Flips")
    assert simplify_augmentation(decisions, MANY_VIEWS) == decisions
