"""Every checkpoint that the project can write loads without running anything: tensors and plain values only."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from segapp.callbacks import LastCheckpoint
from segapp.cli import main
from segapp.training import trainer_settings as trainer
from tests.callbacks.test_stopping import asked

pytestmark = pytest.mark.usefixtures("without_curves")
TINY = Path(__file__).parents[1] / "tiny.yaml"
ONE_EPOCH = ["fit", "--config", str(TINY), "--trainer.max_epochs", "1", "--data.num_workers", "0"]
FEW = [f"--data.source.init_args.{k}={v}" for k, v in (("train", 4), ("val", 2), ("test", 1))]
CROSS_ENTROPY = "segapp.losses.CrossEntropy"
VARIANTS = {
    "balanced cross-entropy, SGD in float64": [
        *(f"--model.loss={CROSS_ENTROPY}", "--model.loss.init_args.class_weights=balanced"),
        *("--model.optimizer=torch.optim.SGD", "--model.optimizer.init_args.lr=0.01", "--trainer.precision=64-true"),
    ],
    "deep supervision by cross-entropy, plateau": [
        *("--model.net.init_args.deep_supervision=1", "--model.loss=segapp.losses.DeepSupervision"),
        f"--model.loss.init_args.loss={CROSS_ENTROPY}",
        "--model.lr_scheduler=torch.optim.lr_scheduler.ReduceLROnPlateau",
    ],
    "focal": ["--model.loss=segapp.losses.Focal", "--model.loss.init_args.class_weights=[1.0, 2.0]"],
    "tversky": ["--model.loss=segapp.losses.Tversky"],
    "dice, no scheduler": ["--model.loss=segapp.losses.Dice", "--model.lr_scheduler=null"],
    "lovasz, without EMA": ["--model.loss=segapp.losses.Lovasz", "--trainer.callbacks=null"],
}
PLAIN = (str, int, float, bool, type(None), torch.Tensor)


def plain(value: object) -> bool:
    """Containers of plain values, with the plain types themselves and no class of anybody's."""
    if isinstance(value, dict):
        return all(plain(key) and plain(inner) for key, inner in value.items())
    if isinstance(value, list | tuple | set):
        return all(map(plain, value))
    return type(value) in PLAIN


def safe(folder: Path, *names: str) -> None:
    found = sorted(folder.glob("runs/tiny/2*/checkpoints/*"))
    assert [path.name for path in found] == sorted(names)
    for path in found:
        assert plain(torch.load(path, weights_only=True))


@pytest.fixture(autouse=True)
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


QUICK = list(VARIANTS)[:2]


@pytest.mark.parametrize(
    "variant", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in VARIANTS]
)
def test_best_and_last_of_every_part(variant, tmp_path):
    assert main([*ONE_EPOCH, *FEW, *VARIANTS[variant]]) == 0
    safe(tmp_path, "best.ckpt", "last.ckpt")


@pytest.mark.parametrize("hook", ["on_train_batch_start", "on_validation_batch_start"])
def test_of_a_run_that_was_stopped(hook, tmp_path, monkeypatch):
    assert asked(monkeypatch, [*ONE_EPOCH, *FEW], hook, 0, 1, signal.SIGTERM) == 143
    safe(tmp_path, "last.ckpt")


def test_in_the_middle_of_an_epoch(tmp_path, monkeypatch):
    saved = []

    class Often(LastCheckpoint):
        def save(self, running):
            super().save(running)
            saved.append(plain(torch.load(self.path, weights_only=True)))

    monkeypatch.setattr(trainer, "LastCheckpoint", lambda folder: Often(folder, every_n_steps=1))
    assert main(ONE_EPOCH) == 0
    assert len(saved) > 3
    assert all(saved)


@pytest.mark.slow
def test_of_two_processes(tmp_path):
    two = ["--trainer.devices", "2", "--trainer.strategy", "ddp"]
    subprocess.run(
        [sys.executable, "-m", "segapp", *ONE_EPOCH, *two],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
        timeout=200,
    )
    safe(tmp_path, "best.ckpt", "last.ckpt")
