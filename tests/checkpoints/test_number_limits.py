"""Numbers of a file have bounds; honest ones are far below."""

import pytest

from segapp.checkpoints.number_limits import (
    read_temperature,
    require_small_batch,
    require_small_samples,
    require_within_limit,
)
from segapp.checkpoints.roles import LOSS, NETWORK, SOURCE, TRANSFORM
from segapp.errors import MisuseError


@pytest.mark.parametrize(
    ("value", "role", "place"),
    [
        (4097, NETWORK, "model.net.encoder.widths"),
        (-5000, NETWORK, "network.x"),
        (17, TRANSFORM, "data.augment.scale_limit"),
        (5000.0, TRANSFORM, "data.augment.height"),
        (1e-9, TRANSFORM, "data.augment.step_factor"),
        (200, TRANSFORM, "data.augment.num_control_points"),
        (4096, TRANSFORM, "data.augment.nb_rows"),
        (10**6, SOURCE, "data set.train"),
        (8193, None, "data.crop"),
    ],
)
def test_a_number_beyond_its_bound_is_refused_by_its_place(value, role, place):
    with pytest.raises(MisuseError, match=place):
        require_within_limit(value, role, place)


@pytest.mark.parametrize(
    ("value", "role", "place"),
    [
        (4096, NETWORK, "model.net.encoder.widths"),
        (float("inf"), LOSS, "model.loss.x"),
        (10**6, None, "trainer.max_steps"),
        (1e-3, TRANSFORM, "data.augment.step_factor"),
        (16, TRANSFORM, "data.augment.scale_limit"),
        (4096, SOURCE, "data.source.size"),
        (8192, None, "data.crop"),
    ],
)
def test_a_number_at_its_bound_passes(value, role, place):
    require_within_limit(value, role, place)


def test_a_batch_has_a_bound_of_its_own():
    require_small_batch({"batch_size": 64, "crop": [1024, 1024], "resize": None})
    for section in ({"batch_size": 8, "crop": 8192}, {"batch_size": 4096, "resize": [512, 512]}):
        with pytest.raises(MisuseError, match=r"--data\.batch_size"):
            require_small_batch(section)


@pytest.mark.parametrize("data", [{"crop": [None, 5]}, {"crop": 64, "batch_size": None}, {"resize": ["a", 5]}])
def test_sizes_of_a_batch_are_numbers(data):
    with pytest.raises(MisuseError, match="whole numbers"):
        require_small_batch(data)


def list_settings(*transforms):
    return [{"class_path": f"albumentations.{name}", "init_args": settings} for name, settings in transforms]


PAD = ("PadIfNeeded", {"min_height": 4096, "min_width": 64})
CROP = ("RandomCrop", {"height": 32, "width": 32})


@pytest.mark.parametrize(
    "transforms",
    [
        [PAD, ("RandomScale", {"scale_limit": [1, 1.5]}), CROP],
        [("RandomScale", {"scale_limit": 0.9}), CROP] * 3,
        [("RandomScale", {"scale_limit": float("nan"), "p": 0})],
        [PAD, ("CropAndPad", {"percent": [0.1, 0.6]})],
        [("Pad", {"padding": [0, 2000]})] * 3,
        [("CropAndPad", {"px": 4096})],
        [("SmallestMaxSize", {"max_size": 4096})],
        [("Affine", {"fit_output": True, "shear": 89})],
        [("OneOf", {"transforms": list_settings(("RandomScale", {"scale_limit": 4}))})],
    ],
    ids=str,
)
def test_transforms_are_bounded_together(transforms):
    """Each is within its limits."""
    with pytest.raises(MisuseError, match=r"--data\.augment"):
        require_small_samples({"crop": [32, 32], "augment": list_settings(*transforms)})


def test_honest_transforms_pass_together():
    honest = [
        ("RandomScale", {"scale_limit": 0.5}),
        ("PadIfNeeded", {"min_height": 1024, "min_width": 1024}),
        ("Affine", {"scale": [0.8, 1.25], "fit_output": False}),
        ("RandomResizedCrop", {"size": [1024, 1024], "scale": [0.2, 1.0]}),
        ("CropAndPad", {"percent": 0.1}),
    ]
    require_small_samples({"crop": 1024, "augment": list_settings(*honest)})
    for section in ({}, {"augment": None, "crop": None}, {"crop": [8192, 8192], "augment": []}):
        require_small_samples(section)


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf"), 1e300, True, "1.5", [1.5]])
def test_a_temperature_that_no_network_needs_is_refused_with_its_file(value):
    with pytest.raises(MisuseError, match=r"a\.ckpt: temperature"):
        read_temperature("a.ckpt", value)


def test_a_file_without_a_temperature_has_that_of_1():
    assert read_temperature("a.ckpt", None) == 1 and read_temperature("a.ckpt", 2) == 2
