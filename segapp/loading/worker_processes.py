"""Choose the number of loader processes, and set up each when it starts."""

import os
import sys
import time
from types import TracebackType

from segapp.system.limits import divide_cores
from segapp.transforms import use_one_thread

GPU_WORKERS = 8  # per GPU; more did not deliver more on machines with many cores


def choose_workers(on_gpu: bool, processes: int) -> int:
    """Return the number of loader processes for one training process on this machine.

    A GPU leaves the cores to the loader, but one. On a CPU training itself uses every core, and a crop costs a
    hundredth of its share of a step: with few cores, workers only get in the way.
    """
    share = divide_cores(processes)
    return min(GPU_WORKERS, share - 1) if on_gpu else min(2, share // 4)


def start_worker(number: int) -> None:
    """Set up a loader process: one thread, and signals are left to the training process."""
    use_one_thread()
    # Ctrl-C in a terminal and `timeout` send their signals to the whole group: only the training process decides.
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)
    _silence_when_orphaned()


def _silence_when_orphaned() -> None:
    """Silence a worker whose training process was killed: everything it still does fails."""
    parent, report = os.getppid(), sys.excepthook

    def report_while_parent_lives(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        time.sleep(0.2)  # its sockets close a moment before it is gone
        if os.getppid() == parent:
            report(kind, error, trace)

    sys.excepthook = report_while_parent_lives
