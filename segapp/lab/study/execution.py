"""Run the jobs of a study on this machine or on a Ray cluster."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from segapp.lab.study.cluster import open_cluster
from segapp.lab.study.jobs import StudyJob
from segapp.lab.study.processes import Processes
from segapp.lab.study.queue import Executor, run_all


def run_jobs(jobs: Sequence[StudyJob], folder: Path, workers: int | None, ray: str | None) -> bool:
    """Run the jobs that are not finished, on this machine or a Ray cluster; return False where the user interrupts."""
    try:
        with _open_executor(ray, workers) as executor:
            run_all(jobs, folder, executor)
    except KeyboardInterrupt:
        print("interrupted; run the same command again to resume.")
        return False
    return True


def _open_executor(ray: str | None, workers: int | None) -> AbstractContextManager[Executor]:
    return nullcontext(Processes(workers)) if ray is None else open_cluster(ray, workers)
