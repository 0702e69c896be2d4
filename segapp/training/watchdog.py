"""Watch the processes of a training on several devices: one that dies ends the run, with a message.

Lightning's own watch kills the first process without a message, and nothing watches the first: the others would wait
for it in a collective, for half an hour. Where another launcher started the processes (torchrun, SLURM), it watches
them.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any, NoReturn

from lightning.pytorch.strategies.launchers import subprocess_script

from segapp.errors import SegappError, StoppedError
from segapp.terminal.text import for_terminal

_LAUNCHER = "SEGAPP_LAUNCHER"  # the process id of the first process, for those it starts
_EVERY_SECONDS = 0.5
_PATIENCE_SECONDS = 20.0
"""How long a process that failed or stopped waits for the others to end by themselves and report why."""

_GRACE_SECONDS = 3.0
"""How long the first process waits for those it ended: one of them may be where Lightning ignores SIGTERM."""

_children: list[subprocess.Popen[Any]] = []


def watch_processes() -> None:
    """Replace Lightning's watch of the processes it starts; in such a process, watch the first."""
    _children.clear()
    if is_child():
        threading.Thread(target=_watch_parent, args=(os.getppid(),), daemon=True).start()
    else:
        os.environ[_LAUNCHER] = str(os.getpid())
        # A function of a private module; the slow tests of tests/training/test_many_processes.py fail should it move.
        subprocess_script._launch_process_observer = _watch_children


def is_child() -> bool:
    """Return whether this process was started by the first one of its run."""
    return "LOCAL_RANK" in os.environ and os.environ.get(_LAUNCHER) == str(os.getppid())


def is_reported_by_rank_zero(error: SegappError, patience: float = 10.0) -> bool:
    """Return whether the first process on this machine reports an error of this process. Mostly it has the same error.

    The first process ends those it started and outlives them, so that none reports the lost connection to it. They wait
    `patience` seconds for that; a process that is still alive then reports its own error. torchrun ends its processes
    in the same way. A first process that was killed reports nothing. All processes stop together, so that a stop needs
    no waiting.
    """
    if os.environ.get("LOCAL_RANK", "0") == "0":
        _end_children()
        return False
    if isinstance(error, StoppedError):
        return True
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # everything is unwound
    deadline = time.monotonic() + patience
    # While the first lives: one that reports an error ends its children before it exits.
    while time.monotonic() < deadline and os.environ.get(_LAUNCHER) in (str(os.getpid()), str(os.getppid())):
        time.sleep(0.1)
    return False


def _end_children() -> None:
    """End the processes that the first one started, by SIGTERM and those that remain by SIGKILL."""
    for child in _children:
        child.terminate()
    deadline = time.monotonic() + _GRACE_SECONDS
    for child in _children:
        try:
            child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()


def explain_lost_process(error: BaseException) -> SegappError | None:
    """Explain a failed exchange after another process has died; return None for other errors.

    Waits for the message of the other process, and for its exit code.
    """
    if not any(word in str(error) for word in ("gloo", "NCCL", "Connection closed by peer", "Connection reset")):
        return None
    deadline = time.monotonic() + 5
    while _children and time.monotonic() < deadline:
        if (found := _find_failed(_children)) is not None:
            return SegappError(_format_message(*found))
        time.sleep(0.1)
    return SegappError(
        "another training process ended, so this one stops too; the first message above names the cause."
    )


def _watch_children(child_processes: list[subprocess.Popen[Any]]) -> None:
    _children.extend(child_processes)
    threading.Thread(target=_watch, args=(child_processes,), daemon=True).start()


def _watch(children: list[subprocess.Popen[Any]]) -> None:
    while (found := _find_failed(children)) is None:
        if all(child.poll() == 0 for child in children):
            return
        time.sleep(_EVERY_SECONDS)
    _, code = found
    time.sleep(_PATIENCE_SECONDS)  # this process may be ending too, with a better message; this thread ends with it
    _end(_format_message(*found), children, code if code in (130, 143) else 1)


def _find_failed(children: Sequence[subprocess.Popen[Any]]) -> tuple[int, int] | None:
    """Return the rank and exit code of a process that failed."""
    return next(((rank, code) for rank, child in enumerate(children, 1) if (code := child.poll())), None)


def _format_message(rank: int, code: int) -> str:
    if code > 0:
        return f"training process {rank} failed (exit code {code}), so the others were ended; its message explains it."
    name = signal.Signals(-code).name
    memory = " Mostly memory ran out: lower --data.batch_size or --data.num_workers." if name == "SIGKILL" else ""
    return f"training process {rank} was killed ({name}), so the others were ended.{memory}"


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_EVERY_SECONDS)
    time.sleep(_PATIENCE_SECONDS)
    _end("the first training process is gone, so this one was ended.", [], 1)


def _end(message: str, children: Sequence[subprocess.Popen[Any]], code: int) -> NoReturn:
    """End this process at once: in a collective it would not see an exception."""
    print(f"segapp: {for_terminal(message)}", file=sys.stderr, flush=True)
    for child in children:
        child.kill()
    os._exit(code)
