"""A few training steps with the settings of a plan."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from segapp.models import UNet
from segapp.planning import trial
from segapp.planning.decisions import Decision
from segapp.planning.machine import Machine
from segapp.planning.run_length import Pace
from segapp.planning.source import describe_folder
from segapp.planning.trial import Measurements, TooLargeError, Trial
from tests.planning.discs import write_discs

NETWORK = {
    "class_path": "segapp.models.UNet",
    "init_args": {"encoder": {"class_path": "segapp.models.PlainEncoder", "init_args": {"widths": [2, 4]}}},
}
LOSS = {"class_path": "segapp.losses.DiceCrossEntropy", "init_args": {}}


@pytest.fixture
def decisions(tmp_path):
    write_discs(tmp_path)
    split = {"class_path": "segapp.datasets.Fraction", "init_args": {"val": 0.2, "test": 0.0, "seed": 0}}
    return [
        *describe_folder(str(tmp_path / "photos"), str(tmp_path / "labels")),
        Decision("data.source.init_args.split", split, ""),
        Decision("data.crop", [32, 32], ""),
        Decision("data.window", [64, 64], ""),
        Decision("data.overlap", 0.5, ""),
        Decision("data.batch_size", 2, ""),
    ]


def make_machine(memory):
    return Machine("cpu", "a machine", memory, memory, 1)


@pytest.mark.parametrize(("workers", "loading", "step"), [(0, 0.5, 3.5), (2, 0.5, 3.0), (2, 8.0, 4.0)])
def test_a_pace_holds_the_loading_and_every_window_of_the_validation(decisions, monkeypatch, workers, loading, step):
    done = []

    def time_work(work, machine):
        work()
        done.append(machine)
        return 0.25

    monkeypatch.setattr(trial, "measure_step", lambda *_: 3.0)
    monkeypatch.setattr(trial, "time_work", time_work)
    monkeypatch.setattr(trial, "choose_workers", lambda *_: workers)
    tried = Trial(decisions, make_machine(2**34))
    assert tried.training_images == 8 and tried.batch["image"].shape == (2, 1, 32, 32)
    tried.loading = loading
    pace = tried.measure(NETWORK, LOSS)
    assert pace.step == pytest.approx(step)
    # Two images of 96 pixels a side are 2 x 2 windows each.
    assert pace.validation == pytest.approx(2 * 4 * 0.25 + 2 * loading / 2)
    assert done == [tried.machine]


@pytest.mark.parametrize("resize", [None, [64, 64]])
def test_the_window_that_is_timed_is_segmented_and_scored(decisions, monkeypatch, resize):
    """A resized image is a window as it is: resizing belongs to the image."""
    windows, scored = [], []
    forward, update = trial.TorchRuntime.__call__, trial.ScoreCollector.update

    def count_window(runtime, images):
        windows.append((images.shape, images.dtype))
        return forward(runtime, images)

    def count_score(collector, prediction, mask, name, *rest):
        scored.append(prediction.shape)
        update(collector, prediction, mask, name, *rest)

    monkeypatch.setattr(trial.TorchRuntime, "__call__", count_window)
    monkeypatch.setattr(trial.ScoreCollector, "update", count_score)
    sizes = [] if resize is None else [Decision("data.resize", resize, ""), Decision("data.crop", None, "")]
    pace = Trial([*decisions, *sizes], make_machine(2**34)).measure(NETWORK, LOSS)
    assert windows == 3 * [((1, 1, 64, 64), np.uint8)] and scored == 3 * [(64, 64)]
    assert 0 < pace.validation < 60


@pytest.mark.parametrize("batch_size", [2, 8])
def test_the_first_batch_is_not_measured(decisions, monkeypatch, batch_size):
    """It imports libraries and counts classes, which no later batch does."""
    events = []
    clock = iter([10.0, 12.5])
    make_loader = trial.SegmentationDataModule.train_dataloader

    class Loader:
        def __init__(self, data):
            self.batches = make_loader(data)

        def __iter__(self):
            for batch in self.batches:
                events.append(len(batch["image"]))
                yield batch

    def read_clock():
        events.append("clock")
        return next(clock)

    monkeypatch.setattr(trial.SegmentationDataModule, "train_dataloader", lambda data: Loader(data))
    monkeypatch.setattr(trial, "time", SimpleNamespace(process_time=read_clock))
    assert Trial([*decisions, Decision("data.batch_size", batch_size, "")], make_machine(2**34)).loading == 2.5
    assert events == [batch_size, "clock", batch_size, "clock"]


def test_a_network_beyond_the_memory_is_not_trained(decisions, monkeypatch):
    monkeypatch.setattr(trial, "measure_step", lambda *_: pytest.fail("trained"))
    with pytest.raises(TooLargeError):
        Trial(decisions, make_machine(1000)).measure(NETWORK, LOSS)


def test_a_window_that_does_not_fit_is_too_large_as_a_step_is(decisions, monkeypatch):
    """The runtime's sentence names options that `segapp plan` does not have."""

    def refuse(net, images):
        if not net.training:
            raise torch.OutOfMemoryError
        return forward(net, images)

    forward = UNet.forward
    monkeypatch.setattr(trial, "estimate_memory", lambda *_: 0)
    monkeypatch.setattr(UNet, "forward", refuse)
    with pytest.raises(TooLargeError):
        Trial(decisions, make_machine(2**34)).measure(NETWORK, LOSS)


def test_times_of_an_earlier_start_are_not_measured_again():
    begun = Measurements(known=(Pace(1.0, 2.0), None))
    assert begun.take(lambda: pytest.fail("measured")) == Pace(1.0, 2.0)
    with pytest.raises(TooLargeError):
        begun.take(lambda: pytest.fail("measured"))
    assert begun.take(lambda: Pace(3.0, 4.0)) == Pace(3.0, 4.0)
    assert begun.taken == [Pace(1.0, 2.0), None, Pace(3.0, 4.0)]
