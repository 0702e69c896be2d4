"""What takes too long or too much memory to build is interrupted, wherever it loops, and nothing arrives later."""

import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from segapp.checkpoints.effort import CHECK_EVERY, TooMuchEffortError, limited_effort

ROOT = str(Path(__file__).parents[2])


def test_an_endless_loop_ends():
    with pytest.raises(TooMuchEffortError), limited_effort(None, seconds=0.1):
        while True:
            pass


def test_a_library_that_catches_everything_is_interrupted_again():
    begun = time.monotonic()
    with pytest.raises(TooMuchEffortError), limited_effort(None, seconds=0.1):
        for _ in range(2):
            with suppress(Exception):
                while True:
                    pass
        while True:
            pass
    assert time.monotonic() - begun < 5


def test_memory_that_grows_without_end_is_interrupted():
    kept = []
    with pytest.raises(TooMuchEffortError), limited_effort(2**25, seconds=60):
        while len(kept) < 2**10:
            kept.append(bytearray(b"x" * 2**20))
            time.sleep(0.001)
    assert len(kept) < 2**10


def test_what_ends_in_time_is_watched_no_longer():
    with limited_effort(2**30):
        (watcher,) = [thread for thread in threading.enumerate() if thread.name == "limited_effort"]
        time.sleep(3 * CHECK_EVERY)
        assert watcher.is_alive()
    watcher.join(10)
    assert not watcher.is_alive()


def test_it_ends_under_a_profiler_too(tmp_path):
    """Taking back an error that was never raised kept Python 3.11 looking for it, under a profiler for ever."""
    script = tmp_path / "script.py"
    script.write_text(
        "from segapp.checkpoints.effort import limited_effort\n"
        "def after(): print('after')\n"
        "with limited_effort(None): pass\n"
        "for _ in range(2): after()\n"
    )
    command = [sys.executable, "-m", "cProfile", "-o", str(tmp_path / "times"), str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=os.environ | {"PYTHONPATH": ROOT})
    assert done.stdout == "after\nafter\n", done.stderr
