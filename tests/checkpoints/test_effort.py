"""What takes too long or too much memory to build is interrupted, wherever it loops, and nothing arrives later."""

import time
from contextlib import suppress

import pytest

from segapp.checkpoints.effort import TooMuchEffortError, limited_effort


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


def test_what_ends_in_time_is_left_alone():
    with limited_effort(2**30, seconds=0.15):
        time.sleep(0.1)
    for _ in range(3):
        time.sleep(0.05)
