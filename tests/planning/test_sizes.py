"""Crops, reductions and levels."""

from dataclasses import replace

import pytest

from segapp.planning.decisions import build_config
from segapp.planning.sizes import choose_sizes
from tests.planning.fingerprints import facts, fingerprint


@pytest.mark.parametrize(
    ("size", "extents", "sample", "is_reduced", "levels"),
    [
        ((64, 64), (5,), (64, 64), False, 4),  # the whole image
        ((512, 512), (20,), (128, 128), False, 4),  # at least 128
        ((512, 512), (50,), (192, 192), False, 4),  # 4 x 50, to a multiple of 32
        ((512, 512), (300,), (256, 256), False, 6),  # an eighth of a step at most; 8 positions remain
        ((2048, 1024), (900,), (512, 256), True, 6),  # a quarter of a step, whose objects no crop would show half of
    ],
)
def test_sizes_follow_from_images_and_objects(size, extents, sample, is_reduced, levels):
    geometry = choose_sizes(fingerprint(facts("a", size, extents=extents)), "cpu")
    assert (geometry.sample, geometry.is_reduced, geometry.levels) == (sample, is_reduced, levels)


def test_a_crop_reaches_little_beyond_the_largest_image():
    """Slices of the hippocampus: 64 x 64 pixels would be twice as many as the images have."""
    slices = fingerprint(*(facts(f"{size}", size, extents=(20,)) for size in ((50, 35), (50, 35), (54, 41))))
    geometry = choose_sizes(slices, "cpu")
    assert (geometry.sample, geometry.levels, geometry.visible) == ((56, 48), 4, 1)
    deeper = choose_sizes(fingerprint(facts("a", (150, 130), extents=(70,))), "cpu")
    assert (deeper.sample, deeper.levels) == ((160, 144), 5)  # four halvings
    assert choose_sizes(fingerprint(facts("a", (20, 28))), "cpu").sample == (32, 32)


def test_thin_structures_are_never_reduced():
    image = facts("a", (2048, 1024), extents=(900,))
    thin = replace(image, objects=(replace(image.objects[0], thickness=12.0),))
    assert not choose_sizes(fingerprint(thin), "cpu").is_reduced


@pytest.mark.parametrize(("pixels", "is_reduced"), [(1, True), (10, False)])
def test_a_rare_class_may_become_thinner(pixels, is_reduced):
    """Facades of 1024 x 1024: a few signs of 18 pixels are no reason for crops that show a quarter of a house."""
    image = facts("a", (1024, 1024), extents=(1000,), counts=(1000 - pixels, pixels))
    signs = replace(image, objects=(replace(image.objects[0], thickness=18.0),))
    assert choose_sizes(fingerprint(signs), "cpu").is_reduced == is_reduced


def test_blocks_of_images_are_never_reduced():
    blocks = fingerprint(facts("a", (2048, 1024), extents=(900,)))
    assert not choose_sizes(replace(blocks, cuts_images=True), "cpu").is_reduced


def test_a_crop_and_a_reduction_exclude_each_other():
    small = fingerprint(facts("a", (512, 512), extents=(20,)))
    decided = build_config(choose_sizes(small, "cpu").decide())["data"]
    assert decided == {"crop": [128, 128], "resize": None, "window": [512, 512], "batch_size": 32}
    large = fingerprint(facts("a", (2048, 1024), extents=(900,)))
    decided = build_config(choose_sizes(large, "cpu").decide())["data"]
    assert decided == {"crop": None, "resize": [512, 256], "window": None, "batch_size": 4}


@pytest.mark.parametrize("extent", [20, 300])
def test_a_short_run_has_smaller_crops_and_no_reduction_in_their_place(extent):
    """Where objects fill an image, a reduction is chosen by a step that keeps the device busy."""
    image = fingerprint(facts("a", (360, 480), extents=(extent,)))
    short = choose_sizes(image, "cpu", 8 * 128**2, longer=choose_sizes(image, "cpu"))
    assert (short.sample, short.is_reduced, short.batch_size) == ((128, 128), False, 8)
    assert short.window == (384, 480)  # as with larger crops
    assert "the budget would hold few larger steps" in short.reasons[1]


def test_a_short_run_has_images_that_are_reduced_further():
    image = fingerprint(facts("a", (2048, 1024), extents=(900,)))
    long = choose_sizes(image, "cpu")
    short = choose_sizes(image, "cpu", 2 * 256**2, longer=long)
    assert (long.sample, short.sample, short.is_reduced) == ((512, 256), (256, 128), True)


def test_a_step_of_reduced_images_has_four():
    """Sides are multiples of 32: 192 x 192 has more pixels than a quarter of a step."""
    image = fingerprint(facts("a", (2048, 2048), extents=(1900,)))
    short = choose_sizes(image, "cpu", 2 * 256**2, longer=choose_sizes(image, "cpu"))
    assert (short.sample, short.batch_size) == ((192, 192), 4)


@pytest.mark.parametrize(
    ("size", "window"),
    [
        ((360, 480), (384, 480)),  # less than twice a crop of 256: all of it, to a multiple of 32
        ((360, 600), (256, 256)),
        ((250, 250), None),  # a crop holds it
    ],
)
def test_images_not_much_larger_than_a_crop_are_evaluated_at_once(size, window):
    assert choose_sizes(fingerprint(facts("a", size, extents=(300,))), "cpu").window == window


def test_a_smaller_step_has_fewer_samples_but_two_at_least():
    image = fingerprint(facts("a", (512, 512), extents=(20,)))
    assert [choose_sizes(image, "cpu", pixels).batch_size for pixels in (8 * 128**2, 128**2)] == [8, 2]
