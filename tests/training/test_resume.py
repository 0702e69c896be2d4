"""A run that was killed, twice, ends with the weights of the undisturbed run, bit for bit."""

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from segapp.cli import main

TINY = Path(__file__).parents[1] / "tiny.yaml"

KILLER = """
import os, signal, sys
from lightning.pytorch import Callback
from segapp.callbacks import LastCheckpoint
from segapp.cli import main, trainer_commands as training
from segapp.training import trainer_settings as trainer

class Killer(Callback):
    '''SIGKILL at a training batch or a validation batch: nothing gets the chance to tidy up.'''

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if sys.argv[1] == "train" and trainer.current_epoch == 1 and batch_idx == 7:
            os.kill(os.getpid(), signal.SIGKILL)

    def on_validation_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
        if sys.argv[1] == "validation" and trainer.current_epoch == 2 and batch_idx == 1:
            os.kill(os.getpid(), signal.SIGKILL)

watchers = training.SegmentationCLI._make_callbacks
training.SegmentationCLI._make_callbacks = lambda self, fit: [*watchers(self, fit), Killer()]
trainer.LastCheckpoint = lambda folder: LastCheckpoint(folder, every_n_steps=2)
sys.exit(main(sys.argv[2:]))
"""


def killed(moment: str, arguments: list[str], folder: Path) -> None:
    """Run segapp in a process of its own until it is killed at `moment`."""
    process = subprocess.run(
        [sys.executable, "-c", KILLER, moment, *arguments],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert process.returncode == -signal.SIGKILL, process.stderr[-3000:]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """Raw weights, averaged weights and optimiser state of a run's last checkpoint."""
    (path,) = folder.glob("runs/tiny/2*/checkpoints/last.ckpt")
    checkpoint = torch.load(path, weights_only=True)
    found = {f"average/{name}": value for name, value in checkpoint["state_dict"].items()}
    found |= {f"raw/{name}": value for name, value in checkpoint["current_model_state"].items()}
    for index, state in checkpoint["optimizer_states"][0]["state"].items():
        found |= {f"optimizer/{index}/{name}": value for name, value in state.items()}
    assert checkpoint["epoch"] == 2
    return found


@pytest.mark.slow
def test_a_run_killed_in_mid_epoch_and_in_validation_ends_with_the_same_weights(tmp_path, monkeypatch):
    undisturbed, disturbed = tmp_path / "a", tmp_path / "b"
    undisturbed.mkdir()
    disturbed.mkdir()
    torch.set_num_threads(1)
    monkeypatch.chdir(undisturbed)
    assert main(["fit", "--config", str(TINY)]) == 0

    killed("train", ["fit", "--config", str(TINY)], disturbed)
    (last,) = disturbed.glob("runs/tiny/2*/checkpoints/last.ckpt")
    again = ["fit", "--ckpt_path", str(last.relative_to(disturbed))]
    assert torch.load(last, weights_only=True)["global_step"] > 5  # in the middle of the second epoch
    killed("validation", again, disturbed)
    monkeypatch.chdir(disturbed)
    monkeypatch.delenv("SEGAPP_RUN_FOLDER", raising=False)
    assert main(again) == 0

    expected, found = weights(undisturbed), weights(disturbed)
    assert expected.keys() == found.keys()
    different = [name for name in expected if not torch.equal(expected[name], found[name])]
    assert not different
    rows = [(run / "metrics.csv").read_text().splitlines() for run in tmp_path.glob("*/runs/tiny/2*")]
    assert [len(lines) for lines in rows] == [4, 4]  # a header and three epochs, once each
    losses = [[float(row["train/loss"]) for row in csv.DictReader(lines)] for lines in rows]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)  # also that of the epoch that was interrupted
    assert not list(disturbed.glob("runs/tiny/2*/.*"))


@pytest.mark.slow
def test_the_training_loss_of_an_interrupted_epoch_is_that_of_all_its_steps(tmp_path, monkeypatch):
    fit = ["--config", str(TINY), "--data.num_workers", "0", "--trainer.max_epochs", "1"]
    losses = []
    for name, steps in (("a", ["-1"]), ("b", ["3", "-1"])):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        for number in steps:
            monkeypatch.delenv("SEGAPP_RUN_FOLDER", raising=False)
            resumed = [f"--ckpt_path={last}" for last in Path().glob("runs/tiny/2*/checkpoints/last.ckpt")]
            # A schedule that knows the run's length would make another run of it.
            assert main(["fit", *resumed, *fit, "--trainer.max_steps", number, "--model.lr_scheduler", "null"]) == 0
        (table,) = Path().glob("runs/tiny/2*/metrics.csv")
        with table.open(newline="") as file:
            losses.append(float(list(csv.DictReader(file))[-1]["train/loss"]))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
