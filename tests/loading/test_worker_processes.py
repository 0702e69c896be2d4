"""How many processes prepare batches, and how each begins."""

import sys

import pytest

from segapp.loading import worker_processes
from segapp.loading.worker_processes import choose_workers

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),  # Lightning 2.6.6 on this torch
    pytest.mark.filterwarnings("ignore::lightning.fabric.utilities.warnings.PossibleUserWarning"),
]


def test_workers_leave_the_machine_to_training() -> None:
    assert choose_workers(on_gpu=False, processes=64) == 0
    assert 0 <= choose_workers(on_gpu=True, processes=1) <= 8


@pytest.mark.parametrize(
    ("cores", "on_gpu", "workers"),
    [(1, False, 0), (4, False, 1), (64, False, 2), (1, True, 0), (4, True, 3), (64, True, 8)],
)
def test_a_gpu_leaves_the_cores_to_the_loader_but_one(monkeypatch, cores: int, on_gpu: bool, workers: int) -> None:
    monkeypatch.setattr(worker_processes, "divide_cores", lambda processes: cores)
    assert choose_workers(on_gpu, 1) == workers


@pytest.mark.parametrize("orphaned", [False, True])
def test_a_worker_is_silent_once_its_parent_is_gone(monkeypatch, orphaned: bool) -> None:
    told: list[BaseException] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, trace: told.append(error))
    monkeypatch.setattr(worker_processes.time, "sleep", lambda seconds: None)
    parents = iter([7, 1 if orphaned else 7])
    monkeypatch.setattr(worker_processes.os, "getppid", lambda: next(parents))
    groups: list[tuple[int, int]] = []
    monkeypatch.setattr(worker_processes.os, "setpgid", lambda process, group: groups.append((process, group)))
    monkeypatch.setattr(worker_processes, "use_one_thread", lambda: None)
    worker_processes.start_worker(0)
    assert groups == [(0, 0)]  # a group of its own: signals of a terminal do not reach it
    error = ValueError()
    sys.excepthook(ValueError, error, None)
    assert told == ([] if orphaned else [error])
