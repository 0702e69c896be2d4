"""Processes share the images of a folder, print an error once, and divide the cores."""

import os
from pathlib import Path

import pytest

from segapp.errors import MisuseError
from segapp.prediction.processes import run_in_processes
from segapp.system import limits
from tests.system.test_limits import machine


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2])  # the processes import this file


def refuse(two_ways: bool) -> int:
    raise MisuseError("the same." if not two_ways or os.environ["RANK"] == "0" else "another.")


def note_threads(folder: str) -> int:
    names = ("OMP_NUM_THREADS", "WORLD_SIZE")
    Path(folder, os.environ["RANK"]).write_text(" ".join(os.environ[name] for name in names))
    return int(os.environ["RANK"])


@pytest.mark.parametrize("two_ways", [False, True])
def test_what_all_refuse_is_printed_once(two_ways, capsys):
    assert run_in_processes(refuse, {"two_ways": two_ways}, 2) == 2
    printed = capsys.readouterr().err.splitlines()
    assert sorted(printed) == (["segapp: another.", "segapp: the same."] if two_ways else ["segapp: the same."])


@pytest.mark.parametrize(("given", "threads"), [(None, "1"), ("5", "5")])
def test_two_processes_share_a_quota_of_two_cores_on_a_machine_of_64(tmp_path, monkeypatch, given, threads):
    root = machine(tmp_path / "machine", "0::/", {"cpu.max": "200000 100000"})
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(64)), raising=False)
    monkeypatch.setattr(limits, "ROOT", root)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if given:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    assert run_in_processes(note_threads, {"folder": str(tmp_path)}, 2) == 1  # the larger exit code
    assert [(tmp_path / rank).read_text() for rank in "01"] == [f"{threads} 2"] * 2
