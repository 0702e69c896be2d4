"""Run jobs as tasks of a Ray cluster (docs.ray.io): Ray chooses the host and the GPU, and watches the process."""

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

from segapp.errors import MisuseError
from segapp.lab.study.jobs import StudyJob
from segapp.lab.study.run_variant import Slot, run_job


class Cluster:
    """An executor on a Ray cluster, with one job at a time per GPU, or per core; with `workers`, so many.

    Its hosts need segapp, and the folder the study was started in at the same path.
    """

    def __init__(self, ray: ModuleType, workers: int | None) -> None:
        self._ray = ray
        hosts = [host["Resources"] for host in ray.nodes() if host["Alive"] and host["Resources"].get("CPU", 0) >= 1]
        cores, gpus = (int(sum(host.get(kind, 0) for host in hosts)) for kind in ("CPU", "GPU"))
        count = gpus or cores if workers is None else workers
        if workers is not None and workers < 1:
            raise MisuseError(f"--workers must be 1 or more, got {workers}.")
        if count < 1:
            raise MisuseError("the Ray cluster has no host with a free core; see `ray status`.")
        threads = min(cores // count, *(int(host["CPU"]) for host in hosts))  # a task fits on one host
        self.slots = [Slot(None, max(1, threads))] * count
        self.gpu_fraction = 1 / math.ceil(count / gpus) if gpus else 0
        """Fraction of a GPU for one job."""

    def start(self, job: StudyJob, slot: Slot) -> Any:
        """Start a job through Ray, in a process that is used once and never retried by Ray: the study retries."""
        task = self._ray.remote(max_calls=1, max_retries=0, num_cpus=slot.threads, num_gpus=self.gpu_fraction)(
            _run_in_task
        )
        return task.remote(Path.cwd(), job, slot)

    def wait(self, processes: Sequence[Any], seconds: float) -> None:
        """Wait for results."""
        self._ray.wait(list(processes), timeout=seconds)

    def describe_end(self, process: Any) -> str | None:
        """Return how a job ended, from the exception that Ray has for it."""
        done, _ = self._ray.wait([process], timeout=0)
        if not done:
            return None
        try:
            self._ray.get(process)
        except (self._ray.exceptions.RayError, OSError) as error:
            return f"{type(error).__name__} ({str(error).strip().splitlines()[-1]})"
        return "exit code 0"

    def stop(self, processes: Sequence[Any]) -> None:
        """Stop a job by force: the next start resumes from the last checkpoint."""
        for process in processes:
            self._ray.cancel(process, force=True)


@contextmanager
def open_cluster(address: str, workers: int | None) -> Iterator[Cluster]:
    """Open the cluster at `address`.

    `auto` is the cluster of this host; `local` starts one here and ends it afterwards.

    Raises MisuseError when Ray is not installed or no cluster is there.
    """
    ray = _import_ray()
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    own = {"include_dashboard": False} if address == "local" else {}
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no data leaves this machine
    # Workers start in the folder in which Ray is opened, and import its modules first: an empty one's, and not
    # those of the user's, which may be a folder of images that holds a torch.py.
    with TemporaryDirectory(prefix="segapp-ray-") as empty:
        try:
            with chdir(empty):
                ray.init(address=address, **quiet, **own)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise MisuseError(
                f"there is no Ray cluster at {address!r} ({error}); start one, or use --ray local."
            ) from error
        try:
            yield Cluster(ray, workers)
        finally:
            ray.shutdown()


def _import_ray() -> ModuleType:
    try:
        import ray
    except ImportError as error:
        raise MisuseError(
            f"--ray needs the package ray, which cannot be imported ({error}); install it on every host: "
            "pip install -c constraints.txt -e '.[ray]'"
        ) from error
    found: ModuleType = ray
    return found


def _run_in_task(where: Path, job: StudyJob, slot: Slot) -> None:
    """Run a job in a task of Ray, on any host."""
    os.chdir(where)
    try:
        run_job(job, slot)
    except SystemExit:  # the job's state has the error; Ray would report a crash
        return
