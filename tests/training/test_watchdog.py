"""What every process of a run would say is said by the first."""

import os
import subprocess
import sys
import time

import pytest

from segapp.errors import MisuseError, StoppedError
from segapp.training import watchdog
from segapp.training.watchdog import is_reported_by_rank_zero


@pytest.mark.parametrize(
    ("rank", "launcher", "said", "waits"),
    [
        (None, None, False, False),  # the only process, or the first
        ("0", "own", False, False),
        ("1", "parent", False, True),  # the first lives on: this one's error is its own
        ("1", "gone", False, False),  # killed: it said nothing
        ("1", "own", False, True),  # torchrun's, which ends it when the first has ended
    ],
)
def test_another_process_says_what_the_first_did_not_end_it_for(rank, launcher, said, waits, monkeypatch):
    pids = {"own": str(os.getpid()), "parent": str(os.getppid()), "gone": "999999999"}
    for name, value in (("LOCAL_RANK", rank), ("SEGAPP_LAUNCHER", launcher and pids[launcher])):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    began = time.monotonic()
    assert is_reported_by_rank_zero(MisuseError("a refusal."), patience=0.3) is said
    assert (time.monotonic() - began >= 0.3) is waits


def test_a_stop_that_all_agreed_on_is_said_by_the_first_at_once(monkeypatch):
    monkeypatch.setenv("SEGAPP_LAUNCHER", str(os.getppid()))
    for rank in ("0", "1"):
        monkeypatch.setenv("LOCAL_RANK", rank)
        assert is_reported_by_rank_zero(StoppedError("stopped.", 15), patience=100) is (rank == "1")


def test_the_first_process_outlives_those_it_started(monkeypatch):
    monkeypatch.setattr(watchdog, "_GRACE_SECONDS", 0.2)
    monkeypatch.setenv("LOCAL_RANK", "0")
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for code in (deaf, "print('ready', flush=True); import time; time.sleep(60)")
    ]
    monkeypatch.setattr(watchdog, "_children", children)
    for child in children:
        assert child.stdout is not None and child.stdout.readline() == "ready\n"
    assert not is_reported_by_rank_zero(MisuseError("a refusal."))
    assert [child.wait(5) for child in children] == [-9, -15]
    for child in children:
        child.stdout.close()
