"""The soak sees a leak that is there, none that is not, and the processes below one."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def soak(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    yield __import__("soak")
    del sys.modules["soak"]


def test_its_interval_holds_the_slope_that_is_there(soak):
    minutes, rng = np.arange(0, 60, 1 / 6), np.random.default_rng(0)
    for slope in (0.0, 12.0):
        said = soak.trend(minutes, 300 + slope * minutes / 60 + rng.normal(0, 1, len(minutes)), 10)
        low, high = (float(word.strip("()")) for word in said.split("(")[1].split(" … "))
        assert low < slope < high
        assert high - low < 3
    assert soak.trend(minutes, np.full_like(minutes, 5), 10) == "constant"


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="reads Linux' /proc")
def test_it_finds_children_of_children_and_tells_when_they_end(soak):
    code = "import subprocess, sys; subprocess.run(['sleep', '60'], stdin=sys.stdin)"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as process:
        while not (found := soak.descendants(process.pid)):  # of this one: pytest may have others
            assert process.poll() is None
        assert process.pid in soak.descendants(os.getpid())
        born = soak.birth(found[-1])
        assert born.isdigit()
        assert soak.memory(process.pid) > 1
        for pid in (*reversed(found), process.pid):
            os.kill(pid, 9)
    assert soak.birth(process.pid) == "ended"
    assert soak.memory(process.pid) == 0
