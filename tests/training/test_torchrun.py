"""`torchrun` starts the processes: one run, one folder, and a job that was stopped goes on."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

TINY = Path(__file__).parents[1] / "tiny.yaml"


def torchrun(*arguments: str, folder: Path) -> str:
    """segapp under torchrun with two processes."""
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc_per_node",
        "2",
        "-m",
        "segapp",
        *arguments,
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def epochs(run: Path) -> list[int]:
    with (run / "metrics.csv").open(newline="") as file:
        return [int(row["epoch"]) for row in csv.DictReader(file)]


@pytest.mark.slow
def test_two_processes_make_one_run_and_the_same_job_goes_on(tmp_path):
    printed = torchrun("fit", "--config", str(TINY), "--trainer.max_epochs", "1", "--job", "j", folder=tmp_path)
    run = tmp_path / "runs" / "tiny" / "j"
    assert sorted((tmp_path / "runs").glob("*/*")) == [run, run.with_name("latest")]
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]
    assert printed.count("best validation") == printed.count("run: ") == 1
    assert epochs(run) == [1]

    printed = torchrun("fit", "--config", str(TINY), "--trainer.max_epochs", "3", "--job", "j", folder=tmp_path)
    assert printed.count("resuming from") == 1
    assert sorted((tmp_path / "runs").glob("*/*")) == [run, run.with_name("latest")]
    assert epochs(run) == [1, 2, 3]
    last = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["epoch"] == 2
    assert last["global_step"] == 3 * 3  # 20 crops on 2 processes, batches of 2, every second one steps, the last too

    torchrun("test", "--ckpt_path", str(run / "checkpoints" / "best.ckpt"), folder=tmp_path)
    (verdict,) = run.glob("test-*")
    assert (verdict / "metrics.json").is_file()
