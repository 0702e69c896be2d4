"""Scores are the same integers on one and three processes, also when the images do not divide."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.processes import ran

TINY = Path(__file__).parents[1] / "tiny.yaml"


def segapp(*arguments: str, folder: Path) -> str:
    """Run segapp as a person does, in a process of its own that starts the others."""
    process = subprocess.run(
        [sys.executable, "-m", "segapp", *arguments],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert process.returncode == 0, process.stdout[-2000:] + process.stderr[-4000:]
    return process.stdout


@pytest.mark.slow
def test_counts_do_not_depend_on_the_number_of_processes(tmp_path):
    segapp("fit", "--config", str(TINY), "--trainer.max_epochs", "1", folder=tmp_path)
    (best,) = tmp_path.glob("runs/tiny/2*/checkpoints/best.ckpt")
    verdicts = []
    for devices in ("1", "3"):
        options = ("--trainer.accelerator", "cpu", "--trainer.devices", devices, "--trainer.strategy", "ddp")
        segapp("test", "--ckpt_path", str(best), *options, folder=tmp_path)
        folder = best.parents[1] / f"test-{len(verdicts) + 1}"
        verdict = json.loads((folder / "metrics.json").read_text())
        tables = [(folder / name).read_text() for name in ("per_image.csv", "confusion.csv")]
        verdicts.append((verdict["images"], verdict["confusion"], verdict["scores"], *tables))
        names = ["confusion.csv", "metrics.json", "per_image.csv", "report.html"]
        assert sorted(path.name for path in folder.iterdir()) == names
    assert verdicts[0][0] == 5
    assert verdicts[0] == verdicts[1]
    assert len(list(best.parents[1].glob("test-*"))) == 2


@pytest.mark.slow
def test_two_processes_train_together_and_one_writes(tmp_path):
    options = ("--trainer.devices", "2", "--trainer.strategy", "ddp", "--trainer.max_epochs", "2")
    printed = segapp("fit", "--config", str(TINY), *options, folder=tmp_path)
    (run,) = tmp_path.glob("runs/tiny/2*")
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]
    assert len((run / "metrics.csv").read_text().splitlines()) == 3
    assert printed.count("best validation") == 1


def started(folder: Path, *options: str) -> tuple[subprocess.Popen[str], int]:
    """A fit of two processes that trains, and the process id of the second."""
    two = ("--trainer.devices", "2", "--trainer.strategy", "ddp", "--trainer.max_epochs", "1000")
    first = subprocess.Popen(
        [sys.executable, "-m", "segapp", "fit", "--config", str(TINY), *two, *options],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 150
    while not list(folder.glob("runs/tiny/2*/checkpoints/last.ckpt")):
        assert first.poll() is None, first.stderr.read()[-3000:]
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return first, next(child for child in children(first.pid) if b"LOCAL_RANK=1" in environment(child))


def children(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def environment(process: int) -> list[bytes]:
    return Path(f"/proc/{process}/environ").read_bytes().split(b"\0")


def ended(folder: Path, process: int) -> None:
    """Within a minute nothing of the process is left, and the last checkpoint is whole."""
    deadline = time.monotonic() + 60
    while Path(f"/proc/{process}").exists() and "State:\tZ" not in Path(f"/proc/{process}/status").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.2)
    (last,) = folder.glob("runs/tiny/2*/checkpoints/last.ckpt")
    assert torch.load(last, weights_only=True)["global_step"] > 0


linux = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for processes as Linux lists them")


@linux
@pytest.mark.slow
def test_a_second_process_that_is_killed_ends_the_run_with_its_sentence(tmp_path):
    first, second = started(tmp_path)
    os.kill(second, signal.SIGKILL)
    _, error = first.communicate(timeout=60)
    assert first.returncode == 1
    assert "segapp: training process 1 was killed (SIGKILL)" in error
    assert "Traceback" not in error
    ended(tmp_path, second)


@linux
@pytest.mark.slow
def test_a_first_process_that_is_killed_leaves_no_other_behind(tmp_path):
    first, second = started(tmp_path)
    first.kill()
    ended(tmp_path, second)
    _, error = first.communicate(timeout=60)
    assert "segapp: " in error
    assert "Traceback" not in error


@linux
@pytest.mark.slow
def test_sigterm_to_one_process_stops_all_where_nothing_is_lost(tmp_path):
    first, second = started(tmp_path)
    os.kill(second, signal.SIGTERM)
    _, error = first.communicate(timeout=60)
    assert first.returncode == 143, error[-3000:]
    assert "last.ckpt --trainer.devices 2" in error  # the command to resume: no checkpoint brings the devices
    assert "stopped by SIGTERM" in error
    assert "Traceback" not in error
    ended(tmp_path, second)


@pytest.mark.slow
def test_what_all_processes_refuse_is_said_once(tmp_path):
    options = ["--trainer.devices", "4", "--trainer.strategy", "ddp", "--data.num_workers", "0"]
    process = ran([sys.executable, "-m", "segapp", "fit", "--config", str(TINY), *options], tmp_path)
    assert process.returncode == 2, process.stderr[-3000:]
    assert process.stderr.count("segapp: ") == 1, process.stderr[-3000:]
    assert process.stderr.count("3 val images are too few for 4 processes") == 1
    assert "Traceback" not in process.stderr


RECORDER = """
import sys, torch
from lightning.pytorch import Callback
from segapp.cli import main, trainer_commands as training

class Recorder(Callback):  # what each process begins with, sees and draws

    def on_fit_start(self, trainer, pl_module):
        self.seen = {"weights": [p.detach().clone() for p in pl_module.parameters()], "names": [], "noise": []}

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.seen["names"].append((trainer.current_epoch, list(batch["name"])))

    def on_before_zero_grad(self, trainer, pl_module, optimizer):
        self.seen["noise"].append(torch.rand(1).item())

    def on_train_end(self, trainer, pl_module):
        torch.save(self.seen, f"seen-{trainer.world_size}-{trainer.global_rank}.pt")

watchers = training.SegmentationCLI._make_callbacks
training.SegmentationCLI._make_callbacks = lambda self, fit: [*watchers(self, fit), Recorder()]
sys.exit(main(sys.argv[1:]))
"""
EXACT = [
    *("--trainer.precision", "64-true", "--trainer.max_epochs", "2", "--data.num_workers", "0"),
    *("--trainer.accumulate_grad_batches", "1", "--data.crops_per_image", "4"),
    *("--model.net.init_args.encoder.init_args.block.norm", "group"),
    *("--model.net.init_args.encoder.init_args.block.dropout", "0"),
]


@pytest.mark.slow
def test_two_processes_train_as_one_does_with_the_whole_batch(tmp_path):
    """2 × 4 and 1 × 8 see the same samples, begin alike, draw apart, and end with the same weights."""
    (tmp_path / "recorder.py").write_text(RECORDER)
    weights = {}
    for devices, size in ((1, 8), (2, 4)):
        process = ran(
            [sys.executable, "recorder.py", "fit", "--config", str(TINY), *EXACT, "--name", f"on{devices}"]
            + ["--data.batch_size", str(size), "--trainer.devices", str(devices)]
            + (["--trainer.strategy", "ddp"] if devices > 1 else []),
            tmp_path,
        )
        assert process.returncode == 0, process.stderr[-3000:]
        (last,) = tmp_path.glob(f"runs/on{devices}/2*/checkpoints/last.ckpt")
        weights[devices] = torch.load(last, weights_only=True)["current_model_state"]
    worst = max(float((weights[1][name] - weights[2][name]).abs().max()) for name in weights[1])
    assert worst < 1e-8  # AdamW divides by the root of its squares: 1e-16 in a gradient is more in a weight
    whole, *halves = (torch.load(tmp_path / name) for name in ("seen-1-0.pt", "seen-2-0.pt", "seen-2-1.pt"))
    for other in halves:
        assert all(torch.equal(a, b) for a, b in zip(whole["weights"], other["weights"], strict=True))
    together = [(epoch, a + b) for (epoch, a), (_, b) in zip(halves[0]["names"], halves[1]["names"], strict=True)]
    assert together == whole["names"]
    assert not set(halves[0]["noise"]) & set(halves[1]["noise"])
