"""A dry run measures real steps, tells what a training would cost, and leaves nothing."""

import os
import re
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch.plugins.precision import Precision
from torch import nn

from segapp.cli import main
from segapp.training.dry_run import _format_whole_run, _measure_forward
from segapp.training.module import SegmentationModule
from tests.cli.tiny import TINY
from tests.processes import ran

FIT = ["fit", "--config", str(TINY), "--trainer.precision", "32-true"]


@pytest.fixture
def scratch(tmp_path_factory, monkeypatch) -> Path:
    """Return the system's temporary folder, whose path is short enough for sockets; work in one beside it."""
    root = tmp_path_factory.mktemp("t")
    (root / "scratch").mkdir()
    (root / "here").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(root / "scratch"))
    monkeypatch.chdir(root / "here")
    return root / "scratch"


@pytest.mark.slow
def test_a_dry_run_tells_what_a_training_would_cost_and_leaves_nothing(scratch, capsys):
    assert main([*FIT, "--dry_run", "--trainer.max_epochs", "50"]) == 0
    printed = capsys.readouterr().out
    assert "20 samples of 10 images in 10 steps of 2, 3 validation images" in printed
    assert "sample of 1 × 32 × 32" in printed
    assert " for 50 epochs" in printed
    step = float(re.search(r"time +([\d.e-]+) s a step", printed)[1])
    epoch = float(re.search(r"images\), ([\d.e-]+) s an epoch", printed)[1])
    assert epoch >= 10 * step * 0.99  # of rounded figures
    assert "\nrun: " not in printed
    assert not list(scratch.glob("segapp-dry-run-*"))
    assert os.listdir() == ["data"]  # noqa: PTH208


@pytest.mark.slow
def test_the_memory_is_that_of_the_training_not_of_who_started_it(tmp_path):
    child = "from segapp.system.peak_memory import read_peak_bytes; print(read_peak_bytes())"
    parent = (
        f"import subprocess, sys; held = bytearray(b'1') * 2 * 10**9; subprocess.run([sys.executable, '-c', {child!r}])"
    )
    assert 10**6 < int(ran([sys.executable, "-c", parent], tmp_path).stdout) < 10**9


def test_a_dry_run_that_fails_leaves_nothing_either(scratch, monkeypatch, capsys):
    def step(*_):
        raise MemoryError

    monkeypatch.setattr(SegmentationModule, "training_step", step)
    assert main([*FIT, "--dry_run", "true"]) == 1
    error = capsys.readouterr().err
    assert "memory does not suffice" in error
    assert "Traceback" not in error
    assert not list(scratch.glob("segapp-dry-run-*"))
    assert not Path("runs").exists()


def test_operations_and_kept_bytes_are_those_worked_out_by_hand():
    net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.ReLU(), nn.Conv2d(8, 2, 1, bias=False))
    module = nn.Module()
    module.net, module.device = net, torch.device("cpu")
    trainer = SimpleNamespace(precision_plugin=Precision())
    kept, flops = _measure_forward(module, torch.rand(4, 3, 16, 16), trainer)
    pixels = 4 * 16 * 16
    assert flops == 2 * pixels * (8 * 3 * 9 + 2 * 8)
    assert kept == 4 * pixels * (3 + 8)  # the images, and what the ReLU gave; no weights
    assert next(iter(module.parameters())).grad is None


@pytest.mark.parametrize("verb", ["validate", "test"])
def test_only_a_fit_can_be_tried_dry(verb, scratch, capsys):
    assert main([verb, "--config", str(TINY), "--dry_run"]) == 2
    assert main(["fit"]) == 2


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"max_epochs": 50, "max_steps": -1}, ", 500 s for 50 epochs"),
        ({"max_epochs": 50, "max_steps": 20}, ", 40 s for 4 epochs"),
        ({"max_epochs": -1, "max_steps": 20}, ", 40 s for 4 epochs"),
        ({"max_epochs": None, "max_steps": 20}, ", 40 s for 4 epochs"),
        ({"max_epochs": -1, "max_steps": -1}, ""),
    ],
)
def test_the_whole_is_bounded_by_epochs_or_steps_or_by_nothing(limits, expected):
    assert _format_whole_run(SimpleNamespace(**limits), 10.0, 5) == expected.replace("500 s", "8.3 minutes")


@pytest.mark.slow
def test_what_a_checkpoints_settings_would_cost(scratch, capsys):
    assert main([*FIT, "--trainer.max_epochs", "1"]) == 0
    (last,) = Path().glob("runs/tiny/2*/checkpoints/last.ckpt")
    before = last.stat().st_mtime_ns
    assert main(["fit", "--ckpt_path", str(last), "--dry_run"]) == 0
    assert "nothing was kept" in capsys.readouterr().out
    assert last.stat().st_mtime_ns == before
