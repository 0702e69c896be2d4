"""Limits the time and memory of building a part: settings of a file can ask for endless loops."""

import ctypes
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segapp.errors import MisuseError

LONGEST = 60.0
"""Seconds."""
MOST_MEMORY = 2**31
"""Bytes by which the process may grow while a part is built that has no memory of its own (torch's `meta`)."""
CHECK_EVERY = 0.1
"""Seconds between two checks."""

STATM, PAGE = Path("/proc/self/statm"), 4096


class TooMuchEffortError(MisuseError):
    """A part that its settings make too large to build."""

    def __init__(self) -> None:
        super().__init__(f"building it takes more than {LONGEST:.0f} s or {MOST_MEMORY:,} bytes; it was refused.")


@contextmanager
def limited_effort(memory: int | None, seconds: float = LONGEST) -> Iterator[None]:
    """Raise TooMuchEffortError in the body when it takes more time or memory.

    A loop of Python is interrupted wherever it is, in whatever library; a single call of a library is not.

    Args:
        memory: Bytes by which the process may grow, None for any; only Linux reports them.
        seconds: Time it may take.
    """
    thread, lock, done, raised = threading.get_ident(), threading.Lock(), threading.Event(), threading.Event()
    until, most = time.monotonic() + seconds, None if memory is None else _measure_memory() + memory

    def watch() -> None:
        while not done.wait(CHECK_EVERY):
            if time.monotonic() > until or (most is not None and _measure_memory() > most):
                with lock:
                    if not done.is_set():
                        _raise_in(thread, TooMuchEffortError)
                        raised.set()

    watcher = threading.Thread(target=watch, daemon=True, name="limited_effort")
    watcher.start()
    try:
        yield
    finally:
        with lock:
            done.set()
            if raised.is_set():  # else Python 3.11 would look for an error at every call, and under a profiler for ever
                _raise_in(thread, None)  # takes back an error that has not arrived yet


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    """Raise an exception in another thread at its next instruction of Python; None takes one back."""
    kind = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), kind)


def _measure_memory() -> int:
    """Measure the bytes that this process holds in memory; 0 where the system does not report them."""
    return int(STATM.read_text().split()[1]) * PAGE if STATM.is_file() else 0
