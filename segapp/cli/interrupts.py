"""Handles Ctrl-C and SIGTERM: at once while libraries are imported, later by unwinding.

While libraries are imported nothing is written yet, and an exception in the middle of an import may be swallowed or end
in an abort of the library.
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
def exit_at_once() -> Iterator[None]:
    """End on Ctrl-C with 130 and on SIGTERM with 143, without unwinding, until `restore_handlers` or the end."""
    if threading.current_thread() is threading.main_thread() and not _before:
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) != signal.SIG_IGN:  # as in a job that nohup or a shell runs in the background
                _before[number] = signal.signal(number, _exit)
    try:
        yield
    finally:
        restore_handlers()


def restore_handlers() -> None:
    """Restore the signal handlers from before `exit_at_once`, once there is something to clean up."""
    while _before:
        signal.signal(*_before.popitem())


@contextmanager
def unwind_on_sigterm() -> Iterator[None]:
    """Unwind on SIGTERM, so that no half-written file remains.

    By default the first process of a container ignores the signal. While it trains, a fit handles the signal itself
    (`segapp.callbacks.StopWhenAsked`).
    """

    def end(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _exit(number: int, frame: FrameType | None) -> NoReturn:
    os.write(2, b"segapp: interrupted.\n" if number == signal.SIGINT else b"segapp: ended by SIGTERM.\n")
    os._exit(128 + number)
