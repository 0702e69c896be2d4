"""Run many jobs, as many at a time as an executor has slots."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tqdm import tqdm

from segapp.errors import MisuseError
from segapp.lab.study.jobs import LOG, StudyJob
from segapp.lab.study.run_variant import Slot
from segapp.terminal.progress import Progress
from segapp.terminal.text import for_terminal
from segapp.workers import delay_signals

try:
    import fcntl
except ImportError as error:  # Windows
    raise MisuseError("a study needs Linux or macOS: its variants are forked from one process.") from error

RECORD_EVERY = 10.0
"""Seconds between two records of a job's time: at most this much is lost when a study is killed."""


class Executor(Protocol):
    """Runs each job in its own process; `start` returns a handle of that process."""

    slots: list[Slot]
    """One for each job that runs at a time."""

    def start(self, job: StudyJob, slot: Slot) -> Any:
        """Start `run_job(job, slot)` in a process."""

    def wait(self, processes: Sequence[Any], seconds: float) -> None:
        """Wait until one of the processes has ended, or for so many seconds."""

    def describe_end(self, process: Any) -> str | None:
        """Return None while the process runs, then how it ended, as `exit code 0` or `signal 9`."""

    def stop(self, processes: Sequence[Any]) -> None:
        """End them all."""


@dataclass
class _Running:
    job: StudyJob
    slot: Slot
    process: Any
    started: float
    before: float
    noted: float


def run_all(jobs: Sequence[StudyJob], folder: Path, executor: Executor) -> None:
    """Run every job that is not finished; one that fails does not stop the others.

    Their states record how they ended. On Ctrl-C the running ones are stopped and KeyboardInterrupt is raised.
    Raises MisuseError when another process is working on the same folder.
    """
    todo = deque(job for job in jobs if job.read_state()["status"] != "finished")
    free, running = executor.slots[::-1], list[_Running]()
    with _lock_folder(folder), Progress(len(jobs), "run", folder.name, _count_done(jobs)) as bar:
        try:
            while todo or running:
                while todo and free:
                    with delay_signals():
                        running.append(_start_job(executor, todo.popleft(), free.pop()))
                executor.wait([one.process for one in running], 1.0)
                for one in list(running):
                    end = executor.describe_end(one.process)
                    if end is None:
                        _record_seconds(one)
                        continue
                    running.remove(one)
                    free.append(one.slot)
                    _report_end(one, end)
                _show_progress(bar, jobs)
        finally:
            executor.stop([one.process for one in running])


def _start_job(executor: Executor, job: StudyJob, slot: Slot) -> _Running:
    before = float(job.read_state()["seconds"])
    job.write_state(status="running", seconds=before)
    now = time.monotonic()
    return _Running(job, slot, executor.start(job, slot), now, before, now)


def _record_seconds(running: _Running) -> None:
    now = time.monotonic()
    if now - running.noted >= RECORD_EVERY:
        running.noted = now
        running.job.record_seconds(running.before + now - running.started)


def _report_end(ended: _Running, end: str) -> None:
    """Explain the end of a process that was killed and so could not report why."""
    if ended.job.read_state()["status"] == "running":
        seconds = ended.before + time.monotonic() - ended.started
        message = f"its process ended with {end} and no message; see {ended.job.folder / LOG}."
        ended.job.write_state(status="failed", seconds=seconds, message=message)
    state = ended.job.read_state()
    why = f": {state['message']}" if state["status"] == "failed" else f" in {state['seconds']:.0f} s"
    tqdm.write(for_terminal(f"{state['status']}: {ended.job.variant}, seed {ended.job.seed}{why}"))


def _show_progress(bar: Progress, jobs: Sequence[StudyJob]) -> None:
    states = [job.read_state()["status"] for job in jobs]
    counts = {name: states.count(name) for name in ("finished", "failed")}
    bar.set_postfix_str(f"{counts['finished']} finished, {counts['failed']} failed", refresh=False)
    bar.n = _count_done(jobs)
    bar.show()


def _count_done(jobs: Sequence[StudyJob]) -> float:
    return round(sum(job.measure_progress() for job in jobs), 2)


@contextmanager
def _lock_folder(folder: Path) -> Iterator[None]:
    """Lock the folder: two studies in one folder would overwrite each other's files.

    The lock ends with the process that holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a") as lock:  # append mode: a link to another file changes nothing
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise MisuseError(f"{folder}: another `segapp study` is running there; wait until it ends.") from error
        yield
