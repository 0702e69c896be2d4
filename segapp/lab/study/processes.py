"""Run jobs in processes of this machine, forked from a server that has imported everything once."""

import multiprocessing
import os
from collections.abc import Sequence
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess

import torch

from segapp.errors import MisuseError
from segapp.lab.study.jobs import StudyJob
from segapp.lab.study.run_variant import Slot, run_job
from segapp.system.limits import count_usable_cores, divide_cores
from segapp.system.user_modules import list_library_folders

PRELOAD = ["segapp.lab.study.preload"]
"""Imported by the server."""


class Processes:
    """An executor on this machine, with one job at a time per GPU, or per core; with `workers`, so many share them."""

    def __init__(self, workers: int | None = None) -> None:
        gpus = _list_gpus()
        count = len(gpus) or count_usable_cores() if workers is None else workers
        if count < 1:
            raise MisuseError(f"--workers must be 1 or more, got {workers}.")
        self.slots = [Slot(gpus[i % len(gpus)] if gpus else None, divide_cores(count)) for i in range(count)]
        os.environ["PYTHONSAFEPATH"] = "1"  # the server imports no struct.py beside the images
        os.environ["LD_LIBRARY_PATH"] = list_library_folders()  # and loads no libz.so.1
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(PRELOAD)

    def start(self, job: StudyJob, slot: Slot) -> ForkServerProcess:
        """Start a job by forking the server."""
        process = self._context.Process(target=run_job, args=(job, slot), name=f"{job.variant}, seed {job.seed}")
        process.start()
        return process

    def wait(self, processes: Sequence[ForkServerProcess], seconds: float) -> None:
        """Wait for the processes' sentinels."""
        wait([process.sentinel for process in processes], timeout=seconds)

    def describe_end(self, process: ForkServerProcess) -> str | None:
        """Return how a process ended, from its exit code."""
        if process.is_alive():
            return None
        process.join()
        code = process.exitcode or 0
        return f"signal {-code}" if code < 0 else f"exit code {code}"

    def stop(self, processes: Sequence[ForkServerProcess]) -> None:
        """Terminate the processes, and kill them after ten seconds."""
        for process in processes:
            process.terminate()
        for process in processes:
            process.join(10)
            if process.is_alive():
                process.kill()


def _list_gpus() -> list[str]:
    visible = [word for word in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if word]
    return visible or [str(index) for index in range(torch.cuda.device_count())]
