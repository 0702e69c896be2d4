"""Many jobs, as many at a time as there is room for, in whatever place runs them."""

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

try:
    import fcntl
except ImportError as error:  # Windows
    raise MisuseError("a study needs Linux or macOS: its variants are forked from one process.") from error

NOTE_EVERY = 10.0
"""Seconds between two notes of how long a running job has taken: what a killed study can lose of its times."""


class Executor(Protocol):
    """Where jobs run, each in a process of its own; what `start` gives stands for that process."""

    slots: list[Slot]
    """One for each job that runs at a time."""

    def start(self, job: StudyJob, slot: Slot) -> Any:
        """Let `run_job(job, slot)` run there."""

    def wait(self, processes: Sequence[Any], seconds: float) -> None:
        """Wait until one of the processes has ended, or for so many seconds."""

    def ended(self, process: Any) -> str | None:
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


def run_all(jobs: Sequence[StudyJob], folder: Path, place: Executor) -> None:
    """Run every job that is not finished; one that fails does not stop the others.

    Their states tell how they ended. On Ctrl-C the running ones are stopped and KeyboardInterrupt goes on.
    Raises MisuseError when another process is working on the same folder.
    """
    todo = deque(job for job in jobs if job.state()["status"] != "finished")
    free, running = place.slots[::-1], list[_Running]()
    total = sum(job.epochs for job in jobs)
    with _lock_folder(folder), Progress(total, "epoch", folder.name, _count_epochs_done(jobs)) as bar:
        try:
            while todo or running:
                while todo and free:
                    running.append(_start(place, todo.popleft(), free.pop()))
                place.wait([one.process for one in running], 1.0)
                for one in list(running):
                    how = place.ended(one.process)
                    if how is None:
                        _record(one)
                        continue
                    running.remove(one)
                    free.append(one.slot)
                    _explain_ended(one, how)
                _show(bar, jobs)
        finally:
            place.stop([one.process for one in running])


def _start(place: Executor, job: StudyJob, slot: Slot) -> _Running:
    before = float(job.state()["seconds"])
    job.write_state(status="running", seconds=before)
    now = time.monotonic()
    return _Running(job, slot, place.start(job, slot), now, before, now)


def _record(running: _Running) -> None:
    now = time.monotonic()
    if now - running.noted >= NOTE_EVERY:
        running.noted = now
        running.job.record_seconds(running.before + now - running.started)


def _explain_ended(ended: _Running, how: str) -> None:
    """Explain the end of a process that was killed and so could not report why."""
    if ended.job.state()["status"] == "running":
        seconds = ended.before + time.monotonic() - ended.started
        message = f"its process ended with {how} and no word; see {ended.job.folder / LOG}."
        ended.job.write_state(status="failed", seconds=seconds, message=message)
    state = ended.job.state()
    why = f": {state['message']}" if state["status"] == "failed" else f" in {state['seconds']:.0f} s"
    tqdm.write(for_terminal(f"{state['status']}: {ended.job.variant}, seed {ended.job.seed}{why}"))


def _show(bar: Progress, jobs: Sequence[StudyJob]) -> None:
    states = [job.state()["status"] for job in jobs]
    counts = {name: states.count(name) for name in ("finished", "failed")}
    bar.set_postfix_str(f"{counts['finished']} of {len(jobs)} runs done, {counts['failed']} failed", refresh=False)
    bar.update(_count_epochs_done(jobs) - bar.n)
    bar.show()


def _count_epochs_done(jobs: Sequence[StudyJob]) -> int:
    return sum(job.epochs if job.state()["status"] == "finished" else job.count_epochs() for job in jobs)


@contextmanager
def _lock_folder(folder: Path) -> Iterator[None]:
    """Lock the folder: two studies in one folder would overwrite each other's files.

    The lock ends with the process that holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a") as lock:  # where it is a link, nothing is lost
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise MisuseError(f"{folder}: another `segapp study` is running there; wait until it ends.") from error
        yield
