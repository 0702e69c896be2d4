"""Scores are the same integers on one, two and three processes, also when the images do not divide."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TINY = Path(__file__).parent / "tiny.yaml"


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
    (best,) = tmp_path.glob("runs/tiny/*/checkpoints/best.ckpt")
    verdicts = []
    for devices in ("1", "2", "3"):
        options = ("--trainer.accelerator", "cpu", "--trainer.devices", devices, "--trainer.strategy", "ddp")
        segapp("test", "--ckpt_path", str(best), *options, folder=tmp_path)
        folder = best.parents[1] / f"test-{devices}"
        verdict = json.loads((folder / "metrics.json").read_text())
        tables = [(folder / name).read_text() for name in ("per_image.csv", "confusion.csv")]
        verdicts.append((verdict["images"], verdict["confusion"], verdict["scores"], *tables))
        assert sorted(path.name for path in folder.iterdir()) == ["confusion.csv", "metrics.json", "per_image.csv"]
    assert verdicts[0][0] == 5
    assert verdicts[0] == verdicts[1] == verdicts[2]
    assert len(list(best.parents[1].glob("test-*"))) == 3


@pytest.mark.slow
def test_two_processes_train_together_and_one_writes(tmp_path):
    options = ("--trainer.devices", "2", "--trainer.strategy", "ddp", "--trainer.max_epochs", "2")
    printed = segapp("fit", "--config", str(TINY), *options, folder=tmp_path)
    (run,) = tmp_path.glob("runs/tiny/*")
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]
    assert len((run / "metrics.csv").read_text().splitlines()) == 3
    assert printed.count("best validation") == 1
