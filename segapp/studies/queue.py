"""Many jobs on few devices, each in a process forked from a server that has imported everything once."""

import multiprocessing
import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import torch
from tqdm import tqdm

from segapp.errors import MisuseError
from segapp.studies.arm import Slot, run_job
from segapp.studies.jobs import LOG, Job

try:
    import fcntl
except ImportError as error:  # Windows
    raise MisuseError("a study needs Linux or macOS: its arms are forked from one process.") from error

PRELOAD = [
    "lightning.pytorch.cli",
    "segapp.callbacks",
    "segapp.datamodule",
    "segapp.module",
    "segapp.models",
    "segapp.studies.arm",
]
"""What the server imports, so that an arm starts in a fraction of a second instead of ten."""

NOTE_EVERY = 10.0
"""Seconds between two notes of how long a running job has taken: what a killed study can lose of its times."""


@dataclass
class _Running:
    job: Job
    process: ForkServerProcess
    started: float
    before: float
    noted: float


def slots(workers: int | None) -> list[Slot]:
    """One slot per GPU, or per core; with `workers`, so many that share them."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    gpus = _gpus()
    count = workers or len(gpus) or cores
    if count < 1:
        raise MisuseError(f"workers is 1 or more, got {workers}.")
    return [Slot(gpus[i % len(gpus)] if gpus else None, max(1, cores // count)) for i in range(count)]


def _gpus() -> list[str]:
    visible = [word for word in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if word]
    return visible or [str(index) for index in range(torch.cuda.device_count())]


def run_all(jobs: Sequence[Job], folder: Path, workers: int | None) -> None:
    """Run every job that is not finished; one that fails does not stop the others.

    Their states tell how they ended. On Ctrl-C the running ones are stopped and KeyboardInterrupt goes on.
    Raises MisuseError when another process is working on the same folder.
    """
    todo = deque(job for job in jobs if job.state()["status"] != "finished")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    free, running = slots(workers)[::-1], dict[ForkServerProcess, tuple[_Running, Slot]]()
    total = sum(job.epochs for job in jobs)
    with _alone(folder), tqdm(total=total, unit="epoch", desc=folder.name, disable=None, smoothing=0.05) as bar:
        try:
            while todo or running:
                while todo and free:
                    started = _start(context, todo.popleft(), free[-1])
                    running[started.process] = (started, free.pop())
                wait([process.sentinel for process in running], timeout=1.0)
                for process in [process for process in running if not process.is_alive()]:
                    ended, slot = running.pop(process)
                    _reap(ended)
                    free.append(slot)
                for current, _ in running.values():
                    _note(current)
                _show(bar, jobs)
        finally:
            _stop(list(running))


def _start(context: multiprocessing.context.ForkServerContext, job: Job, slot: Slot) -> _Running:
    before = float(job.state()["seconds"])
    job.write_state(status="running", seconds=before)
    process = context.Process(target=run_job, args=(job, slot), name=f"{job.arm}, seed {job.seed}")
    process.start()
    now = time.monotonic()
    return _Running(job, process, now, before, now)


def _note(running: _Running) -> None:
    now = time.monotonic()
    state = running.job.state()
    if now - running.noted >= NOTE_EVERY and state["status"] == "running":
        running.noted = now
        running.job.write_state(status="running", seconds=running.before + now - running.started)


def _reap(ended: _Running) -> None:
    """A process that could not say why it ended was killed."""
    ended.process.join()
    code = ended.process.exitcode or 0
    if ended.job.state()["status"] == "running":
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        seconds = ended.before + time.monotonic() - ended.started
        sentence = f"its process ended with {how} and no word; see {ended.job.folder / LOG}."
        ended.job.write_state(status="failed", seconds=seconds, sentence=sentence)
    state = ended.job.state()
    why = f": {state['sentence']}" if state["status"] == "failed" else f" in {state['seconds']:.0f} s"
    tqdm.write(f"{state['status']}: {ended.job.arm}, seed {ended.job.seed}{why}")


def _show(bar: tqdm, jobs: Sequence[Job]) -> None:
    states = [job.state()["status"] for job in jobs]
    done = sum(
        job.epochs if status == "finished" else job.epochs_done() for job, status in zip(jobs, states, strict=True)
    )
    counts = {name: states.count(name) for name in ("finished", "failed")}
    bar.set_postfix_str(f"{counts['finished']} of {len(jobs)} runs done, {counts['failed']} failed", refresh=False)
    bar.update(done - bar.n)
    bar.refresh()


def _stop(processes: Sequence[ForkServerProcess]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(10)
        if process.is_alive():
            process.kill()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two studies in one folder would write over each other; the lock falls with the process that holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise MisuseError(f"{folder}: another `segapp study` is working there.") from error
        yield
