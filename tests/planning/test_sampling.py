"""Rare classes: how often they are seen and how much they weigh."""

from dataclasses import replace

from segapp.planning.sampling import choose_loss, choose_sampling
from segapp.planning.sizes import choose_sizes
from tests.planning.fingerprints import facts, fingerprint


def test_crops_are_centred_on_what_is_rare_and_it_weighs_more():
    image = facts("a", (512, 512), counts=(99_900, 100))
    one = fingerprint(image)
    oversample, *_ = choose_sampling(one, choose_sizes(one, "cpu"))
    (loss,) = choose_loss(one, deep_supervision=0)
    assert oversample.value == 0.33
    assert loss.value["init_args"]["class_weights"] == [1.0, 8.0]


def test_crops_of_common_classes_and_whole_images_are_random():
    common = fingerprint(facts("a", (512, 512), counts=(60, 40)))
    assert choose_sampling(common, choose_sizes(common, "cpu"))[0].value == 0
    rare = fingerprint(facts("a", (64, 64), counts=(99_900, 100)))
    assert choose_sampling(rare, choose_sizes(rare, "cpu"))[0].value == 0  # a sample is the whole image


def test_a_class_in_few_images_is_oversampled():
    images = [facts(f"{i}", (512, 512), counts=(70, 30 * (i == 0))) for i in range(4)]
    one = fingerprint(*images)
    assert choose_sampling(one, choose_sizes(one, "cpu"))[0].value == 0.33


def test_weights_are_bounded_and_only_of_rare_classes():
    classes = ("background", "few", "rare", "common")
    one = replace(fingerprint(facts("a", counts=(91_990, 2_000, 10, 6_000))), classes=classes)
    (loss,) = choose_loss(one, deep_supervision=2)
    assert loss.value["class_path"] == "segapp.losses.DeepSupervision"
    # 0.01 % would weigh 500, and 2 % counts as 5 %
    assert loss.value["init_args"]["loss"]["init_args"] == {"reduce": "batch", "class_weights": [1.0, 2.5, 8.0, 1.0]}
    assert "rare (0.01%), few (2.00%)." in loss.reason
    (even,) = choose_loss(fingerprint(facts("a", counts=(60, 40))), deep_supervision=0)
    assert even.value["init_args"] == {"reduce": "batch"}
