"""Several processes that share the images of a folder."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.process import BaseProcess
from multiprocessing.queues import SimpleQueue
from types import FrameType
from typing import Any

from segapp.errors import MisuseError, SegappError
from segapp.terminal.streams import checked_streams
from segapp.terminal.text import for_terminal

PATIENCE_SECONDS = 5.0
"""How long a process that is told to end may take: what it computes at that moment has to come back first."""


def share() -> tuple[int, int]:
    """Return this process's rank and the number of processes, from the environment of the launcher."""
    given = {name: os.environ.get(name) for name in ("RANK", "WORLD_SIZE")}
    if given == {"RANK": None, "WORLD_SIZE": None}:
        return 0, 1
    try:
        rank, world_size = (int(value or "") for value in given.values())
    except ValueError:
        rank, world_size = 0, 0
    if not 0 <= rank < world_size:
        raise MisuseError(
            "RANK and WORLD_SIZE must be numbers, 0 ≤ RANK < WORLD_SIZE, or both be left out; "
            f"got RANK={given['RANK']} and WORLD_SIZE={given['WORLD_SIZE']}."
        )
    return rank, world_size


def run_in_processes(command: Callable[..., int], settings: dict[str, Any], number: int) -> int:
    """Run `command(**settings)` in so many processes, each with its part; return the worst of their exit codes.

    What several of them refuse for the same reason is said once. None of them outlives this call.
    """
    spawn = multiprocessing.get_context("spawn")
    threads = str(max(1, (os.cpu_count() or 1) // number))
    said: SimpleQueue[str] = spawn.SimpleQueue()
    shares = [{"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(number)} for rank in range(number)]
    processes = [spawn.Process(target=_run_one, args=(command, settings, mine, threads, said)) for mine in shares]
    try:
        for process in processes:
            process.start()
        for process in processes:
            process.join()
    except KeyboardInterrupt:  # the terminal has told them too
        for process in processes:
            process.join()
        return 130
    except SystemExit:  # SIGTERM, which nobody has told them
        _end([process for process in processes if process.pid is not None])
        raise
    finally:
        for sentence in dict.fromkeys(_iterate_messages(said)):
            sys.stderr.write(f"segapp: {for_terminal(sentence)}\n")
    killed = [process for process in processes if (process.exitcode or 0) < 0]
    if killed:
        raise SegappError(
            f"{len(killed)} of {number} processes were killed (signal {-(killed[0].exitcode or 0)}), perhaps for "
            "memory; what they had written is whole, and the same command goes on, with fewer --devices if need be."
        )
    return max(process.exitcode or 0 for process in processes)


def _end(processes: Sequence[BaseProcess]) -> None:
    """Ask them to end, which leaves no half file, and make those that do not hear it in time."""
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + PATIENCE_SECONDS
    for process in processes:
        process.join(max(deadline - time.monotonic(), 0))
    for process in processes:
        process.kill()
        process.join()


def _iterate_messages(said: SimpleQueue[str]) -> Iterator[str]:
    while not said.empty():
        yield said.get()


def _run_one(
    command: Callable[..., int], settings: dict[str, Any], share: dict[str, str], threads: str, said: SimpleQueue[str]
) -> None:
    signal.signal(signal.SIGTERM, _raise_exit)
    os.environ.update(share)
    os.environ.setdefault("OMP_NUM_THREADS", threads)
    try:
        with checked_streams():
            code = command(**settings)
    except SegappError as error:
        said.put(str(error))
        code = error.exit_code
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


def _raise_exit(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
