"""Sizes and networks that a budget holds."""

from dataclasses import replace

import pytest

from segapp.errors import MisuseError
from segapp.planning.candidates import choose_candidate
from segapp.planning.machine import Machine
from segapp.planning.run_length import Pace
from segapp.planning.trial import Measurements, TooLargeError
from tests.planning.fingerprints import facts, fingerprint

CPU = Machine("cpu", "a machine", memory=2**33, main_memory=2**33, cores=2)


@pytest.fixture
def measured(monkeypatch):
    """Replace the measurement of a step by a function of its pixels / 256² and the first level's channels."""

    def measure(find_seconds):
        class Trial:
            training_images = 100

            def __init__(self, decisions, machine, measurements):
                self.machine = machine
                values = {one.setting: one.value for one in decisions}
                height, width = values["data.crop"] or values["data.resize"]
                self.size = values["data.batch_size"] * height * width / 256**2

            def measure(self, network, loss):
                seconds = find_seconds(self.size, network["init_args"]["encoder"]["init_args"]["widths"][0])
                return Pace(seconds, 0.0)

        monkeypatch.setattr("segapp.planning.candidates.Trial", Trial)

    return measure


def choose(budget):
    one = fingerprint(facts("a", (512, 512), extents=(300,)))
    return choose_candidate([], one, CPU, budget, Measurements())


@pytest.mark.parametrize(
    ("budget", "crop", "batch"),
    [
        (1070, 256, 8),  # (1070 - 15) s x 0.95 are 501 steps of 2 s
        (1060, 192, 7),  # 496: half the pixels are twice as many steps, of smaller crops
        (500, 128, 8),
        (30, 128, 8),  # not fewer
    ],
)
def test_a_small_budget_has_smaller_crops(measured, budget, crop, batch):
    measured(lambda size, channels: size / 4)
    candidate = choose(budget)
    assert candidate.sizes.sample == (crop, crop) and candidate.sizes.batch_size == batch
    assert {"data.batch_size": batch}.items() <= {one.setting: one.value for one in candidate.decisions}.items()
    assert candidate.steps == pytest.approx((budget - 15) * 0.95 / (batch * crop**2 / 256**2 / 4))


def test_a_step_stays_where_half_of_it_takes_nearly_as_long(measured):
    measured(lambda size, channels: 1 + size / 8)
    assert choose(600).sizes.sample == (256, 256)


@pytest.mark.parametrize(("thickness", "sample"), [(100.0, (256, 128)), (60.0, (352, 192)), (40.0, (512, 256))])
def test_a_small_budget_has_images_reduced_further_while_classes_stay_wide(measured, thickness, sample):
    measured(lambda size, channels: size)
    image = facts("a", (2048, 1024), extents=(900,))
    wide = replace(image, objects=(replace(image.objects[0], thickness=thickness),))
    sizes = choose_candidate([], fingerprint(wide), CPU, 300, Measurements()).sizes
    assert sizes.is_reduced and sizes.sample == sample


def test_twice_the_channels_need_enough_steps(measured):
    measured(lambda size, channels: channels / 160)
    assert choose(400).network.settings["init_args"]["encoder"]["init_args"]["widths"][0] == 32
    assert choose(300).network.settings["init_args"]["encoder"]["init_args"]["widths"][0] == 16


def test_half_the_pixels_are_tried_where_memory_is_too_small(measured):
    def refuse(size, channels):
        if size > limit:
            raise TooLargeError
        return 0.01

    measured(refuse)
    limit = 5
    assert choose(600).sizes.sample[0] * choose(600).sizes.sample[1] < 256**2
    limit = 0.1
    with pytest.raises(MisuseError, match="a machine has"):
        choose(600)
