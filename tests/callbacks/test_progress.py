"""What a log file holds of a fit's progress."""

import sys
from types import SimpleNamespace

import pytest
import torch

from segapp.callbacks import progress
from segapp.callbacks.progress import ProgressBar


def trainer(epoch=0, done=0):
    batches = SimpleNamespace(current=SimpleNamespace(ready=done))
    return SimpleNamespace(
        fit_loop=SimpleNamespace(epoch_loop=SimpleNamespace(batch_progress=batches)),
        max_epochs=2,
        current_epoch=epoch,
        is_global_zero=True,
        num_training_batches=3,
        progress_bar_metrics={"train/loss_step": torch.tensor(0.5)},
        callback_metrics={"val/dice/dataset": torch.tensor(0.25)},
        state=SimpleNamespace(fn="fit"),
    )


def fit(bar, epochs=2):
    """The calls that a Trainer makes."""
    for epoch in range(epochs):
        at = trainer(epoch)
        bar._trainer = at
        if epoch == 0:
            bar.setup(at, None, "fit")
            bar.on_sanity_check_start()
            bar.on_sanity_check_end()
            bar.on_train_start(at, None)
        bar.on_train_epoch_start(at, None)
        for index in range(3):
            bar.on_train_batch_end(at, None, None, None, index)
        bar.on_train_epoch_end(at, None)
    bar.on_train_end(at, None)


def test_a_log_file_has_a_line_for_each_epoch_and_nothing_twice(capsys):
    fit(ProgressBar())
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.splitlines() == [
        f"Epoch {epoch} of 2: 3 batches, loss 0.5000, last val dice 0.2500" for epoch in (1, 2)
    ]


def test_a_long_epoch_has_a_line_now_and_then(capsys, monkeypatch):
    monkeypatch.setattr(progress, "LINE_EVERY_SECONDS", 0.0)
    fit(ProgressBar(), 1)
    assert [line.split(",")[0] for line in capsys.readouterr().out.splitlines()] == [
        *(f"Epoch 1 of 2: {batch} of 3 batches" for batch in (1, 2, 3)),
        "Epoch 1 of 2: 3 batches",
    ]


def test_the_last_epoch_of_a_run_of_so_many_steps_counts_its_own_batches(capsys, monkeypatch):
    monkeypatch.setattr(progress, "LINE_EVERY_SECONDS", 0.0)
    bar, at = ProgressBar(), trainer()
    at.max_epochs, at.max_steps, at.global_step = -1, 8, 6
    bar._trainer = at
    bar.setup(at, None, "fit")
    bar.on_train_start(at, None)
    bar.on_train_epoch_start(at, None)
    for index in range(2):
        at.global_step += 1
        bar.on_train_batch_end(at, None, None, None, index)
    bar.on_train_epoch_end(at, None)
    assert [line.split(",")[0] for line in capsys.readouterr().out.splitlines()] == [
        "Epoch 1: 1 of 2 batches",
        "Epoch 1: 2 of 2 batches",
        "Epoch 1: 2 batches",
    ]


@pytest.mark.parametrize("max_steps", [8, 100])
def test_an_epoch_that_is_resumed_goes_on_counting(capsys, monkeypatch, max_steps):
    monkeypatch.setattr(progress, "LINE_EVERY_SECONDS", 0.0)
    bar, at = ProgressBar(), trainer(done=1)
    at.max_epochs, at.max_steps, at.global_step = -1, max_steps, 7
    bar._trainer = at
    bar.setup(at, None, "fit")
    bar.on_train_start(at, None)
    bar.on_train_batch_end(at, None, None, None, 1)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"Epoch 1: 2 of {2 if max_steps == 8 else 3} batches")


def test_a_terminal_has_a_bar(capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    fit(ProgressBar(), 1)
    said = capsys.readouterr().out
    assert "Epoch 1 of 2: 100%" in said and "batches" not in said


@pytest.mark.parametrize("rank", [1, 3])
def test_other_processes_write_nothing(capsys, rank):
    bar, other = ProgressBar(), trainer()
    other.is_global_zero = False
    bar._trainer = other
    bar.setup(other, None, "fit")
    assert not bar._logs, rank


@pytest.mark.parametrize("main", [True, False])
def test_every_process_reads_the_epochs_loss_which_is_gathered_from_all(capsys, main):
    """Read by the first alone, it would wait for the others for ever."""

    class Gathered(dict):
        reads = 0

        def get(self, *key):
            Gathered.reads += 1
            return super().get(*key)

    bar, at = ProgressBar(), trainer()
    at.is_global_zero, at.progress_bar_metrics = main, Gathered(at.progress_bar_metrics)
    bar._trainer = at
    bar.setup(at, None, "fit")
    bar.on_sanity_check_start()
    bar.on_train_start(at, None)
    bar.on_train_epoch_end(at, None)
    assert Gathered.reads
