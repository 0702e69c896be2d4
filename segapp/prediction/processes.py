"""Divides the images of a folder among processes."""

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

from segapp.errors import MisuseError, SegappError
from segapp.terminal.text import for_terminal
from segapp.workers import Workers

ADVICE = (
    "Every file that is written is complete, and the same command resumes; use fewer --devices if memory is too small."
)


def read_rank() -> tuple[int, int]:
    """Return this process's rank and the number of processes, from RANK and WORLD_SIZE; (0, 1) without them.

    Raises MisuseError when only one of them is set, or when they are no such numbers.
    """
    given = {name: os.environ.get(name) for name in ("RANK", "WORLD_SIZE")}
    if given == {"RANK": None, "WORLD_SIZE": None}:
        return 0, 1
    try:
        rank, world_size = (int(value or "") for value in given.values())
    except ValueError:
        rank, world_size = 0, 0
    if not 0 <= rank < world_size:
        raise MisuseError(
            "RANK and WORLD_SIZE must be numbers, 0 ≤ RANK < WORLD_SIZE, or both be unset; "
            f"got RANK={given['RANK']} and WORLD_SIZE={given['WORLD_SIZE']}."
        )
    return rank, world_size


def run_in_processes(command: Callable[..., int], settings: dict[str, Any], number: int) -> int:
    """Run `command(**settings)` in processes that share its images; return the largest of their exit codes.

    An error that several of them end with is printed once. None of them outlives this call.

    Args:
        command: An importable function that returns an exit code.
        settings: Its arguments.
        number: How many processes; each has its RANK, LOCAL_RANK and WORLD_SIZE.

    Raises:
        SegappError: A process was killed; the others were ended too.
    """
    names = [{"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(number)} for rank in range(number)]
    codes, messages = [0], dict[str, None]()
    try:
        with Workers(_run_rank, [(command, settings)] * number, names, ADVICE) as workers:
            for _, (code, message) in workers:
                codes.append(code)
                messages |= {message: None} if message else {}
    except KeyboardInterrupt:
        messages[f"interrupted. {ADVICE}"] = None
        return 130
    finally:
        for message in messages:
            sys.stderr.write(f"segapp: {for_terminal(message)}\n")
    return max(codes)


def _run_rank(command: Callable[..., int], settings: dict[str, Any]) -> Iterator[tuple[int, str]]:
    """Yield the exit code of one process, and the message of the error that it ended with."""
    try:
        yield command(**settings), ""
    except SegappError as error:
        yield error.exit_code, str(error)
