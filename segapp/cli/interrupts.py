"""Ctrl-C and SIGTERM while libraries are imported: nothing is written yet, so the process leaves at once.

An exception raised in the middle of an import may be swallowed or end in an abort of the library.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

_before: dict[signal.Signals, Any] = {}


@contextmanager
def leaving_at_once() -> Iterator[None]:
    """End on Ctrl-C with 130 and on SIGTERM with 143, without unwinding, until `unwind_again` or the end."""
    if threading.current_thread() is threading.main_thread() and not _before:
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) != signal.SIG_IGN:  # as of a job that nohup or a shell put aside
                _before[number] = signal.signal(number, _leave)
    try:
        yield
    finally:
        unwind_again()


def unwind_again() -> None:
    """Put back how signals were heard before `leaving_at_once`, once there is something to tidy up."""
    while _before:
        signal.signal(*_before.popitem())


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    os.write(2, b"segapp: interrupted.\n" if number == signal.SIGINT else b"segapp: ended by SIGTERM.\n")
    os._exit(128 + number)
