"""Worker processes that start, report and end together."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Any, NoReturn, Self

from segapp.errors import FatalError, SegappError
from segapp.system.limits import divide_cores
from segapp.system.user_modules import list_library_folders
from segapp.terminal.streams import checked_streams

SPAWN = multiprocessing.get_context("spawn")
"""How workers are started: as fresh interpreters, because a fork of a process with threads or CUDA may hang."""

PATIENCE_SECONDS = 5.0
"""Seconds that a worker may take to end after SIGTERM: what it computes at that moment has to return first."""

STOPPED = 128 + signal.SIGTERM


class Workers:
    """A group of processes that each call one function; none of them outlives the context.

    Each has its part of the cores (`OMP_NUM_THREADS`, unless the user has set it) from its start. When one dies, or
    the context ends by an error, Ctrl-C or SIGTERM, all others get SIGTERM, and after `PATIENCE_SECONDS` SIGKILL. A
    worker ends by itself when this process is gone. Ctrl-C in a terminal reaches the first process only.

    Args:
        function: Called in each process with its arguments; must be importable, and give an iterable. Each of its
            values is sent to this process.
        arguments: The arguments of each process; as many processes are started.
        environments: Environment variables of each process.
        advice: What the user can do when a worker was killed; ends the error message.
    """

    def __init__(
        self,
        function: Callable[..., Iterable[Any]],
        arguments: Sequence[tuple[Any, ...]],
        environments: Sequence[Mapping[str, str]] | None = None,
        advice: str = "",
    ) -> None:
        self._function, self._arguments, self._advice = function, arguments, advice
        self._environments = environments or [{} for _ in arguments]
        self._processes: list[SpawnProcess] = []
        self._receivers: dict[Connection, int] = {}

    def __enter__(self) -> Self:
        threads = {
            "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS") or str(divide_cores(len(self._arguments))),
            "PYTHONSAFEPATH": "1",  # no struct.py beside the images is imported
            "LD_LIBRARY_PATH": list_library_folders(),  # and no libz.so.1 loaded
        }
        try:
            for arguments, environment in zip(self._arguments, self._environments, strict=True):
                self._start(arguments, {**threads, **environment})
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *error: Any) -> None:
        self._end()

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        """Yield (number of the process, value) in the order in which values arrive, until all processes have ended.

        Raises:
            FatalError: A worker raised a SegappError; with its exit code.
            SegappError: A worker was killed, or ended by another error.
        """
        while self._receivers:
            for receiver in wait(list(self._receivers)):
                assert isinstance(receiver, Connection)
                number = self._receivers[receiver]
                try:
                    value = receiver.recv()
                except (EOFError, ConnectionResetError):
                    receiver.close()
                    del self._receivers[receiver]
                    self._require_success(number)
                    continue
                if isinstance(value, _Failure):
                    raise FatalError(value.message, value.exit_code)
                yield number, value

    def _start(self, arguments: tuple[Any, ...], environment: Mapping[str, str]) -> None:
        receiver, sender = SPAWN.Pipe(duplex=False)
        process = SPAWN.Process(target=_run, args=(self._function, arguments, sender))
        # A new interpreter reads its number of threads when it imports torch, before `_run` is called.
        with _extended_environment(environment), delay_signals(), _blocked_interrupts():
            process.start()
            self._processes.append(process)
            self._receivers[receiver] = len(self._processes) - 1
        sender.close()  # so that the worker's end is the end of the pipe

    def _require_success(self, number: int) -> None:
        """Raise SegappError unless a process that has closed its pipe ends by itself, with exit code 0."""
        process = self._processes[number]
        process.join(PATIENCE_SECONDS)
        code = process.exitcode
        if code == 0:
            return
        how = "hangs" if code is None else f"exit code {code}" if code > 0 else f"signal {-code}"
        memory = ", perhaps for memory" if code == -signal.SIGKILL else ""
        of_all = f"process {number + 1} of {len(self._processes)}"
        raise SegappError(
            f"{of_all} ended before its work was done ({how}{memory}); the others were ended. {self._advice}".strip()
        )

    def _end(self) -> None:
        """End all processes: by SIGTERM, which leaves no unfinished file, and then by SIGKILL."""
        try:
            for process in self._processes:
                process.terminate()
            deadline = time.monotonic() + PATIENCE_SECONDS
            for process in self._processes:
                process.join(max(deadline - time.monotonic(), 0))
        finally:  # also after a second Ctrl-C
            for process in self._processes:
                process.kill()
                process.join()
            for receiver in self._receivers:
                receiver.close()


class _Failure:
    """An error of segapp in a worker, on its way to the first process."""

    def __init__(self, error: SegappError) -> None:
        self.message, self.exit_code = str(error), error.exit_code


@contextmanager
def _extended_environment(added: Mapping[str, str]) -> Iterator[None]:
    """Add environment variables for processes that start meanwhile."""
    before = {name: os.environ.get(name) for name in added}
    os.environ.update(added)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def delay_signals() -> Iterator[None]:
    """Delay Ctrl-C and SIGTERM: they find a process that starts meanwhile started and kept, or neither.

    A mask would not do: another thread of this process, such as those of NumPy, takes the signal.
    """
    if threading.current_thread() is not threading.main_thread():  # signals interrupt the main thread only
        yield
        return
    received: list[int] = []
    before: dict[signal.Signals, Any] = {}
    try:
        for delayed in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(delayed) not in (signal.SIG_IGN, None):
                before[delayed] = signal.signal(delayed, lambda number, frame: received.append(number))
        yield
    finally:
        for delayed, handler in before.items():
            signal.signal(delayed, handler)
        for number in received:
            signal.raise_signal(number)


@contextmanager
def _blocked_interrupts() -> Iterator[None]:
    """Block Ctrl-C in processes that start meanwhile: they never get it."""
    resource_tracker.ensure_running()  # else it starts with the first process, and lets Ctrl-C through (CPython 127586)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _run(function: Callable[..., Iterable[Any]], arguments: tuple[Any, ...], sender: Connection) -> None:
    """Call a worker's function and send its values; the start of every worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _raise_exit)
    threading.Thread(target=_follow_parent, daemon=True).start()
    with checked_streams():
        try:
            for value in function(*arguments):
                sender.send(value)
        except SegappError as error:
            sender.send(_Failure(error))
        except BrokenPipeError:  # the first process is gone
            sys.exit(STOPPED)


def _raise_exit(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def _follow_parent() -> None:
    """End this process when the first process is gone: as by SIGTERM, and at once if that takes too long."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(PATIENCE_SECONDS)
    os._exit(STOPPED)
