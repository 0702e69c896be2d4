"""Handles standard streams that are closed, on a full disk, or without a reader."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

from segapp.errors import FatalError


@contextmanager
def checked_streams() -> Iterator[None]:
    """Report output that cannot be written, and keep it out of other files.

    A closed stream becomes the null device: otherwise the next file that is opened takes its number, and what a library
    prints ends up in it. Standard output that cannot be written ends the work with a FatalError; standard error that
    cannot be written is silenced, and only the exit code reports. A pipe without a reader stays a
    BrokenPipeError.
    """
    _open_closed()
    output, error = before = sys.stdout, sys.stderr
    ours = output is sys.__stdout__, error is sys.__stderr__  # otherwise the caller captures them
    if ours[0]:
        sys.stdout = cast(TextIO, _Checked(output, _raise_unwritable))
    if ours[1]:
        sys.stderr = cast(TextIO, _Checked(error, _silence_errors))
    try:
        yield
        sys.stdout.flush()
    finally:
        sys.stdout, sys.stderr = before


class _Checked:
    """A stream that passes failing writes to a function."""

    def __init__(self, stream: TextIO, failed: Callable[[OSError], None]) -> None:
        self._stream, self._failed = stream, failed

    def write(self, text: str) -> int:
        """Write, as the stream does."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._failed(error)
            return len(text)

    def flush(self) -> None:
        """Flush, as the stream does."""
        try:
            self._stream.flush()
        except OSError as error:
            self._failed(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def silence(descriptor: int) -> None:
    """Discard further text for standard output (1) or error (2): Python writes buffered text again at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)


def _raise_unwritable(error: OSError) -> None:
    if isinstance(error, BrokenPipeError):
        raise error
    silence(1)
    raise FatalError(f"standard output cannot be written ({error.strerror}); what was written before is complete.")


def _silence_errors(error: OSError) -> None:
    silence(2)


def _open_closed() -> None:
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free, which is this one
    if sys.stdout is None:  # as Python has it where the stream was closed
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - for as long as the process lives
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115
