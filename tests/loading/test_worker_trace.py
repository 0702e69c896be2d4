"""What each worker of a loader is doing, read after it has died."""

import os
from types import SimpleNamespace

import pytest
from torch.utils.data import DataLoader, Dataset

from segapp.loading import worker_trace
from segapp.loading.worker_trace import WorkerTrace


@pytest.fixture
def worker(monkeypatch):
    """Make this process the worker of that number."""

    def become(number):
        info = None if number is None else SimpleNamespace(id=number)
        monkeypatch.setattr(worker_trace.torch.utils.data, "get_worker_info", lambda: info)

    return become


def test_a_trail_says_which_item_and_which_step(worker):
    trace = WorkerTrace()
    worker(3)
    assert trace.find_step(os.getpid()) is None
    trace.start_reading(7)
    assert trace.find_step(os.getpid()) == (7, "read")
    trace.start_augmenting(7)
    assert trace.find_step(os.getpid()) == (7, "augmented (data.augment)")
    assert trace.find_step(os.getpid() + 1) is None
    trace.finish()
    assert trace.find_step(os.getpid()) is None


@pytest.mark.parametrize("number", [None, 512])
def test_outside_workers_and_beyond_its_rows_it_notes_nothing(worker, number):
    trace = WorkerTrace()
    worker(number)
    trace.start_reading(7)
    assert trace.find_step(os.getpid()) is None


class Leaving(Dataset):
    """Items that a worker notes and is never done with."""

    def __init__(self, trace):
        self.trace = trace

    def __len__(self):
        return 2

    def __getitem__(self, index):
        self.trace.start_reading(index)
        return os.getpid()


def test_the_note_of_a_worker_outlives_it():
    trace = WorkerTrace()
    processes = list(DataLoader(Leaving(trace), batch_size=None, num_workers=2))
    assert [trace.find_step(process) for process in processes] == [(0, "read"), (1, "read")]
