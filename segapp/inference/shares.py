"""Several processes that share the images of a folder."""

import multiprocessing
import os
import sys
from collections.abc import Callable
from typing import Any

from segapp.errors import MisuseError, SegappError


def share() -> tuple[int, int]:
    """This process's rank and the number of processes, as whatever started them says."""
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


def in_processes(command: Callable[..., int], settings: dict[str, Any], number: int) -> int:
    """`command(**settings)` in so many processes, each with its share; the worst of their exit codes."""
    spawn = multiprocessing.get_context("spawn")
    threads = str(max(1, (os.cpu_count() or 1) // number))
    shares = [{"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(number)} for rank in range(number)]
    processes = [spawn.Process(target=_one_share, args=(command, settings, mine, threads)) for mine in shares]
    for process in processes:
        process.start()
    try:
        for process in processes:
            process.join()
    except KeyboardInterrupt:  # the terminal has told them too
        for process in processes:
            process.join()
        return 130
    killed = [process for process in processes if (process.exitcode or 0) < 0]
    if killed:
        raise SegappError(
            f"{len(killed)} of {number} processes were killed (signal {-(killed[0].exitcode or 0)}), perhaps for "
            "memory; what they had written is whole, and the same command goes on, with fewer --devices if need be."
        )
    return max(process.exitcode or 0 for process in processes)


def _one_share(command: Callable[..., int], settings: dict[str, Any], share: dict[str, str], threads: str) -> None:
    os.environ.update(share)
    os.environ.setdefault("OMP_NUM_THREADS", threads)
    try:
        code = command(**settings)
    except SegappError as error:
        sys.stderr.write(f"segapp: {error}\n")
        code = error.exit_code
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)
