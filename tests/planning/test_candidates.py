"""Sizes and networks that a budget holds."""

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
    """Replace the measurement of a step by a function of its batch and the first level's channels."""

    def measure(find_seconds):
        class Trial:
            training_images = 100

            def __init__(self, decisions, machine, measurements):
                self.machine = machine
                self.batch = next(one.value for one in decisions if one.setting == "data.batch_size")

            def measure(self, network, loss):
                seconds = find_seconds(self.batch, network["init_args"]["encoder"]["init_args"]["widths"][0])
                return Pace(seconds, 0.0)

        monkeypatch.setattr("segapp.planning.candidates.Trial", Trial)

    return measure


def choose(budget):
    one = fingerprint(facts("a", (512, 512), extents=(300,)))
    return choose_candidate([], one, CPU, budget, Measurements())


@pytest.mark.parametrize(
    ("budget", "batch"),
    [
        (660, 8),  # (660 - 15) s x 0.95 are 306 steps of 2 s
        (600, 4),  # 277: half the samples give twice as many
        (30, 4),  # not fewer: batch norm needs them
    ],
)
def test_a_small_budget_has_smaller_batches(measured, budget, batch):
    measured(lambda samples, channels: samples / 4)
    candidate = choose(budget)
    assert candidate.sizes.batch_size == batch
    assert {"data.batch_size": batch}.items() <= {one.setting: one.value for one in candidate.decisions}.items()
    assert candidate.steps == pytest.approx((budget - 15) * 0.95 / (batch / 4))


def test_a_batch_stays_where_half_of_it_takes_nearly_as_long(measured):
    measured(lambda samples, channels: 1 + samples / 8)
    assert choose(600).sizes.batch_size == 8


def test_twice_the_channels_need_enough_steps(measured):
    measured(lambda samples, channels: channels / 160)
    assert choose(400).network.settings["init_args"]["encoder"]["init_args"]["widths"][0] == 32
    assert choose(300).network.settings["init_args"]["encoder"]["init_args"]["widths"][0] == 16


def test_half_the_pixels_are_tried_where_memory_is_too_small(measured):
    def refuse(samples, channels):
        if samples > limit:
            raise TooLargeError
        return 0.01

    measured(refuse)
    limit = 5
    assert choose(600).sizes.sample[0] * choose(600).sizes.sample[1] < 256**2
    limit = 0
    with pytest.raises(MisuseError, match="a machine has"):
        choose(600)
