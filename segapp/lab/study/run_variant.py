"""Run one variant in its own process: `segapp fit`, then `segapp test`, `segapp landscape` and examples."""

import json
import os
import runpy
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import parent_process
from pathlib import Path
from typing import Any

import torch

from segapp.errors import SegappError
from segapp.lab.study.examples import write_examples
from segapp.lab.study.jobs import CONFIG, LOG, StudyJob


@dataclass(frozen=True)
class Slot:
    """The GPU and the CPU threads of a job."""

    device: str | None
    """The only visible GPU; None leaves the visible devices unchanged."""
    threads: int
    """Threads on the CPU."""


def run_job(job: StudyJob, slot: Slot) -> None:
    """Run the remaining steps of a job and write its state; called in its own process."""
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    _log_to(job.folder / LOG)
    if slot.device is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = slot.device
    torch.set_num_threads(slot.threads)
    before, started = float(job.read_state()["seconds"]), time.monotonic()
    try:
        result = _run_steps(job)
    except Exception as error:  # whatever stops this variant, the others continue
        traceback.print_exc()
        message = str(error) if isinstance(error, SegappError) else f"{type(error).__name__}: {error}"
        job.write_state(status="failed", seconds=before + time.monotonic() - started, message=message)
        sys.exit(1)
    job.write_state(status="finished", seconds=before + time.monotonic() - started, **result)


def _run_steps(job: StudyJob) -> dict[str, str]:
    """Fit from where it stopped, test, and write examples; return the folders of the results."""
    config, former = ["--config", str(job.folder / CONFIG)], job.find_run()
    resume = [] if former is None else ["--ckpt_path", str(former / "checkpoints" / "last.ckpt")]
    _run_segapp(["fit", *resume, *config], job)
    run = job.find_run()
    best = None if run is None else run / "checkpoints" / "best.ckpt"
    if run is None or best is None or not best.is_file():
        raise SegappError("no validation had a score, so there is no best checkpoint to test.")
    _run_segapp([job.verb, "--ckpt_path", str(best), *config], job)
    evaluation = max(run.glob(f"{job.verb}-*/metrics.json"), key=lambda path: path.stat().st_mtime).parent
    if job.landscape is not None:
        options = list_landscape_options(job.landscape)
        allowed = [f"--allow={name}" for name in job.classes]
        _run_segapp(["landscape", "--ckpt_path", str(best), "--devices", "1", *allowed, *options], job)
    write_examples(best, job.examples, job.folder / "examples", job.classes)
    return {"run": run.name, "evaluation": evaluation.name}


def list_landscape_options(wanted: Mapping[str, Any]) -> list[str]:
    """List the landscape's options as words of a command line."""
    return [f"--{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in wanted.items()]


def _run_segapp(arguments: list[str], job: StudyJob) -> None:
    """Run segapp as the command line does; raise SegappError with its message when it fails."""
    sys.stdout.write(f"\n$ segapp {' '.join(arguments)}\n")
    sys.stdout.flush()
    start = (job.folder / LOG).stat().st_size
    sys.argv = ["segapp", *arguments]
    try:
        runpy.run_module("segapp", run_name="__main__", alter_sys=True)
    except SystemExit as stop:
        if stop.code in (0, None):
            return
        if stop.code == 130:
            raise KeyboardInterrupt from None
        sys.stdout.flush()
        sys.stderr.flush()
        with (job.folder / LOG).open("rb") as log:
            log.seek(start)
            text = log.read().decode(errors="replace")
        messages = [line.removeprefix("segapp: ") for line in text.splitlines() if line.startswith("segapp: ")]
        raise SegappError(messages[-1] if messages else f"segapp {arguments[0]} ended with {stop.code}.") from None


def _log_to(path: Path) -> None:
    """Log the output of this process and its loaders to a file."""
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(log, stream.fileno())
    os.close(log)


def _end_with_the_parent() -> None:
    """End this process with its parent: without its study it would race with the next start of that study.

    Files are written completely or not at all.
    """
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(143)
