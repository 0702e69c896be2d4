"""What a data set is like, and which decisions follow."""

import numpy as np
import pytest
import yaml

from segapp.errors import MisuseError
from segapp.planning.decisions import Decision, build_config
from segapp.planning.fingerprint import _describe_values
from segapp.planning.masks import MaskValues, infer_meaning
from segapp.planning.objects import measure_objects
from segapp.planning.symmetry import describe_layout, measure_symmetry
from segapp.planning.write import format_plan


def mask_of(values):
    values_of = MaskValues()
    values_of.add(np.asarray(values, np.uint8))
    return values_of


def test_a_later_decision_replaces_an_earlier_one():
    decisions = [Decision("data.crop", 1, "a"), Decision("data.crop", 2, "b"), Decision("name", "x", "")]
    assert build_config(decisions) == {"data": {"crop": 2}, "name": "x"}


def test_the_yaml_of_a_plan_loads_to_its_decisions_with_reasons_as_comments():
    decisions = [
        Decision("name", "mine: #1", ""),
        Decision("data.crop", [256, 256], "images are\n512: pixels " * 20),
        Decision("model.net", {"class_path": "segapp.models.UNet", "init_args": {"widths": [1, 2]}}, "small"),
    ]
    text = format_plan(decisions, "heading\nof two lines")
    assert yaml.safe_load(text) == build_config(decisions)
    assert "  # small" in text.splitlines()
    assert max(map(len, text.splitlines())) <= 110


@pytest.mark.parametrize(("width", "expected"), [(2, 2.0), (6, 6.0), (20, 20.0)])
def test_the_thickness_of_a_band_is_its_width(width, expected):
    mask = np.zeros((64, 64), np.uint8)
    mask[20 : 20 + width] = 1
    (band,) = measure_objects(mask, background=0)
    assert band.thickness == pytest.approx(expected, abs=0.05)
    assert band.areas.tolist() == [width * 64]
    assert band.extents.tolist() == [64]


def test_sizes_of_a_reduced_mask_are_in_stored_pixels():
    mask = np.zeros((32, 32), np.uint8)
    mask[4:8, 4:12] = 2
    (found,) = measure_objects(mask, background=0, scale=2.0)
    assert (found.areas[0], found.extents[0]) == (128, 16)


def test_values_of_an_image_are_described_as_numpy_does():
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    mean, variance, histogram = _describe_values(image)
    assert mean == pytest.approx(image.mean((0, 1)) / 255)
    assert variance == pytest.approx(image.var((0, 1)) / 255**2)
    assert histogram == pytest.approx(np.histogram(image, 32, (0, 256))[0] / image.size)


@pytest.mark.parametrize("motion", ["mirror left-right", "mirror up-down"])
def test_sky_over_road_is_safe_to_mirror_only_sideways(motion):
    rng = np.random.default_rng(0)
    layouts = []
    for _ in range(12):
        mask = np.zeros((64, 64), np.uint8)
        mask[int(rng.integers(25, 40)) :] = 1
        image = np.where(mask, 40, 200)[..., None] + rng.integers(0, 9, (64, 64, 1))
        layouts.append(describe_layout(image.astype(np.uint8), mask, 2))
    assert measure_symmetry(layouts, motion).is_safe == (motion == "mirror left-right")


def test_masks_of_0_and_255_are_a_class_over_background():
    meaning = infer_meaning(mask_of([[0, 255], [0, 0]]))
    assert meaning.classes == ("background", "object")
    assert meaning.mask["init_args"] == {"values": {0: 0, 255: 1}}


def test_masks_that_are_photographs_are_refused():
    noise = np.random.default_rng(0).integers(1, 256, (64, 64))
    with pytest.raises(MisuseError, match="photographs"):
        infer_meaning(mask_of(noise))
