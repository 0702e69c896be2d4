"""This machine as a place for the jobs of a study."""

from types import SimpleNamespace

import pytest

from segapp.errors import MisuseError
from segapp.lab.study import processes
from segapp.lab.study.processes import Processes
from segapp.lab.study.run_variant import Slot


@pytest.mark.parametrize(
    ("gpus", "workers", "slots"),
    [
        ("", None, [(None, 1)] * 8),
        ("", 2, [(None, 4)] * 2),
        ("3,5", None, [("3", 4), ("5", 4)]),
        ("3,5", 4, [("3", 2), ("5", 2), ("3", 2), ("5", 2)]),
    ],
)
def test_jobs_have_a_gpu_or_a_part_of_the_cores(monkeypatch, gpus, workers, slots):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", gpus)
    monkeypatch.setattr(processes.torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(processes, "count_usable_cores", lambda: 8)
    monkeypatch.setattr(processes, "divide_cores", lambda count: 8 // count)
    assert Processes(workers).slots == [Slot(*slot) for slot in slots]


def test_gpus_are_counted_where_the_environment_names_none(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(processes.torch.cuda, "device_count", lambda: 2)
    assert [slot.device for slot in Processes().slots] == ["0", "1"]


@pytest.mark.parametrize("workers", [0, -1])
def test_at_least_one_worker(workers):
    with pytest.raises(MisuseError, match="workers"):
        Processes(workers)


@pytest.mark.parametrize(
    ("alive", "code", "told"),
    [(True, None, None), (False, 0, "exit code 0"), (False, 3, "exit code 3"), (False, -9, "signal 9")],
)
def test_the_end_of_a_process_is_told_by_its_exit_code(alive, code, told):
    process = SimpleNamespace(is_alive=lambda: alive, join=lambda: None, exitcode=code)
    assert Processes(1).describe_end(process) == told


def test_a_process_that_does_not_stop_is_killed():
    calls = []
    stubborn = SimpleNamespace(
        terminate=lambda: calls.append("terminate"),
        join=lambda seconds: calls.append(seconds),
        is_alive=lambda: True,
        kill=lambda: calls.append("kill"),
    )
    Processes(1).stop([stubborn])
    assert calls == ["terminate", 10, "kill"]
