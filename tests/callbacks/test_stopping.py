"""A fit that is asked to stop saves where it is, says how to go on, and goes on to the same weights, bit for bit."""

import csv
import itertools
import os
import signal
import subprocess
import sys
import time
from multiprocessing import active_children
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback

from segapp.cli import main
from segapp.cli import trainer_commands as training

pytestmark = pytest.mark.usefixtures("without_curves")
TINY = Path(__file__).parents[1] / "tiny.yaml"
FIT = ["fit", "--config", str(TINY), "--trainer.deterministic", "true"]
HERE = ["--data.num_workers", "0"]
PLATEAU = [
    *HERE,
    "--model.lr_scheduler=torch.optim.lr_scheduler.ReduceLROnPlateau",
    "--model.lr_scheduler.init_args.patience=0",
    "--model.lr_scheduler.init_args.threshold=1.0",
    "--model.lr_scheduler.init_args.factor=0.5",
]
SCHEDULERS: dict[str, list[str]] = {"cosine": [], "plateau": PLATEAU}
MOMENTS = {
    "in mid-accumulation": ("on_train_batch_start", 1, 2),
    "in the last batch of an epoch": ("on_train_batch_start", 1, 9),
    "before a validation": ("on_validation_start", 1, None),
    "in validation": ("on_validation_batch_start", 1, 1),
    "after the last validation image": ("on_validation_epoch_end", 1, None),
    "after an epoch": ("on_train_epoch_end", 1, None),
}


class Asker(Callback):
    """Sends a signal to this process in a hook of some epoch and batch."""

    def __init__(self, hook: str, epoch: int, batch: int | None, number: int, times: int = 1) -> None:
        def ask(trainer, pl_module, *rest):
            right_batch = batch is None or rest[1] == batch
            if right_batch and trainer.current_epoch == epoch and not trainer.sanity_checking:
                for _ in range(times):
                    os.kill(os.getpid(), number)

        setattr(self, hook, ask)


def asked(monkeypatch, arguments: list[str], *when: object) -> int:
    """The exit code of a run that is asked to stop."""
    watchers = training.SegmentationCLI._make_callbacks
    with monkeypatch.context() as patch:
        patch.setattr(
            training.SegmentationCLI, "_make_callbacks", lambda self, fit: [Asker(*when), *watchers(self, fit)]
        )
        patch.delenv("SEGAPP_RUN_FOLDER", raising=False)
        return main(arguments)


def states(folder: Path) -> dict[str, torch.Tensor]:
    """Weights, averaged weights and optimiser state of a run's last checkpoint, and its learning rate."""
    (path,) = folder.glob("runs/tiny/2*/checkpoints/last.ckpt")
    checkpoint = torch.load(path, weights_only=True)
    assert checkpoint["epoch"] == 2
    found = {f"average/{name}": value for name, value in checkpoint["state_dict"].items()}
    found |= {f"raw/{name}": value for name, value in checkpoint["current_model_state"].items()}
    for index, state in checkpoint["optimizer_states"][0]["state"].items():
        found |= {f"optimizer/{index}/{name}": value for name, value in state.items()}
    return found | {"lr": torch.tensor(checkpoint["optimizer_states"][0]["param_groups"][0]["lr"])}


def rows(folder: Path) -> list[dict[str, str]]:
    (path,) = folder.glob("runs/tiny/2*/metrics.csv")
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The folder of a whole run with a scheduler; each is made once."""
    folders: dict[str, Path] = {}

    def made(scheduler: str) -> Path:
        if scheduler not in folders:
            folders[scheduler] = tmp_path_factory.mktemp(scheduler)
            with pytest.MonkeyPatch.context() as patch:
                patch.chdir(folders[scheduler])
                patch.delenv("SEGAPP_RUN_FOLDER", raising=False)
                assert main([*FIT, *SCHEDULERS[scheduler]]) == 0
        return folders[scheduler]

    return made


def cases() -> list[object]:
    """Every moment of a schedule by steps, and those of one by scores at which a score is due."""
    scored = ("before a validation", "in validation", "after an epoch")
    return [*itertools.product(["cosine"], MOMENTS), *itertools.product(["plateau"], scored)]


@pytest.mark.slow
@pytest.mark.parametrize(("scheduler", "moment"), cases())
def test_a_run_stopped_by_sigterm_and_resumed_ends_with_the_same_weights(
    scheduler, moment, undisturbed, tmp_path, monkeypatch, capsys
):
    before, options = undisturbed(scheduler), SCHEDULERS[scheduler]
    monkeypatch.chdir(tmp_path)
    handler = signal.getsignal(signal.SIGTERM)
    assert not active_children()
    assert asked(monkeypatch, [*FIT, *options], *MOMENTS[moment], signal.SIGTERM) == 143
    assert signal.getsignal(signal.SIGTERM) == handler
    assert not active_children()  # of a loader's workers, who would be killed and leave their sockets behind
    (last,) = tmp_path.glob("runs/tiny/2*/checkpoints/last.ckpt")
    error = capsys.readouterr().err
    assert "segapp: stopped by SIGTERM after" in error
    assert f"segapp fit --ckpt_path {last.relative_to(tmp_path)}" in error
    assert "Traceback" not in error
    assert main(["fit", "--ckpt_path", str(last)]) == 0
    expected, found = states(before), states(tmp_path)
    assert expected.keys() == found.keys()
    assert not [name for name in expected if not torch.equal(expected[name], found[name])]
    scores = ("epoch", "step", "lr", "val/loss", "val/dice/dataset")
    assert [[row[name] for name in scores] for row in rows(tmp_path)] == [
        [row[name] for name in scores] for row in rows(before)
    ]
    assert not list(tmp_path.glob("runs/tiny/2*/**/.*"))


@pytest.mark.slow
def test_a_validation_that_counts_batches_over_epochs_is_not_skipped_by_stopping_before_it(tmp_path, monkeypatch):
    """Of 10 batches an epoch, one validation after the 12th and one after the 24th: both are in their epoch's row."""
    monkeypatch.chdir(tmp_path)
    options = ["--trainer.check_val_every_n_epoch", "null", "--trainer.val_check_interval", "12"]
    assert asked(monkeypatch, [*FIT, *options], "on_train_batch_start", 1, 1, signal.SIGTERM) == 143
    (last,) = tmp_path.glob("runs/tiny/2*/checkpoints/last.ckpt")
    assert main(["fit", "--ckpt_path", str(last)]) == 0
    assert [row["epoch"] for row in rows(tmp_path) if row["val/loss"]] == ["2", "3"]


def test_with_validations_by_the_clock_a_stop_does_not_wait_for_the_epochs_end(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = [*HERE, "--trainer.val_check_interval", "00:01:00:00"]
    assert asked(monkeypatch, [*FIT, *options], "on_train_batch_start", 0, 4, signal.SIGTERM) == 143
    (last,) = tmp_path.glob("runs/tiny/2*/checkpoints/last.ckpt")
    assert torch.load(last, weights_only=True)["global_step"] == 3  # of two batches each


@pytest.mark.slow
def test_epochs_without_a_validation_do_not_repeat_the_last_ones_scores(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main([*FIT, "--trainer.check_val_every_n_epoch", "2"]) == 0
    assert [bool(row["val/loss"]) for row in rows(tmp_path)] == [False, True, False]
    assert all(row["train/loss"] for row in rows(tmp_path))
    scores = {}
    for path in tmp_path.glob("runs/tiny/2*/checkpoints/*.ckpt"):
        scores[path.stem] = torch.load(path, weights_only=True)["segapp"]["scores"]
    assert scores["best"]["val/dice/dataset"] == pytest.approx(float(rows(tmp_path)[1]["val/dice/dataset"]), rel=1e-5)
    assert not scores["last"]  # nobody has scored these weights


class Ender(Callback):
    """Asks Lightning to end the training, once, as a callback of anybody's may."""

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.current_epoch == 1 and batch_idx == 2:
            trainer.should_stop = True


@pytest.mark.slow
def test_a_run_that_is_ended_in_mid_accumulation_loses_nothing(undisturbed, tmp_path, monkeypatch, capsys):
    before = undisturbed("cosine")
    monkeypatch.chdir(tmp_path)
    watchers = training.SegmentationCLI._make_callbacks
    with monkeypatch.context() as patch:
        patch.setattr(training.SegmentationCLI, "_make_callbacks", lambda self, fit: [Ender(), *watchers(self, fit)])
        assert main(FIT) == 0
    assert "a limit ended it in the middle of an epoch, after 7 steps" in capsys.readouterr().out
    (last,) = tmp_path.glob("runs/tiny/2*/checkpoints/last.ckpt")
    assert main(["fit", "--ckpt_path", str(last)]) == 0
    expected, found = states(before), states(tmp_path)
    assert not [name for name in expected if not torch.equal(expected[name], found[name])]
    assert [row["epoch"] for row in rows(tmp_path) if row["train/loss"]] == ["1", "2", "3"]


@pytest.mark.slow
def test_a_run_made_longer_than_its_steps_does_the_rest_of_the_epoch(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([*FIT, "--trainer.max_steps", "7"]) == 0
    (last,) = tmp_path.glob("runs/tiny/2*/checkpoints/last.ckpt")
    assert main(["fit", "--ckpt_path", str(last), "--trainer.max_steps", "-1"]) == 0
    assert torch.load(last, weights_only=True)["global_step"] == 15
    found = [(row["epoch"], row["step"]) for row in rows(tmp_path) if row["train/loss"]]
    assert found == [("1", "5"), ("2", "10"), ("3", "15")]


@pytest.mark.slow
def test_a_run_that_has_had_its_time_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([*FIT, "--trainer.max_epochs", "1", "--trainer.max_time", "00:01:00:00"]) == 0
    (last,) = tmp_path.glob("runs/tiny/2*/checkpoints/last.ckpt")
    checkpoint = torch.load(last, weights_only=True)
    checkpoint["callbacks"]["Timer"]["time_elapsed"]["train"] = 3601.0
    torch.save(checkpoint, last)
    longer = ["fit", "--ckpt_path", str(last), "--trainer.max_epochs", "3"]
    assert main(longer) == 0
    assert "nothing is left to train: the run has used its 00:01:00:00" in capsys.readouterr().out
    assert main([*longer, "--trainer.max_time", "00:02:00:00"]) == 0
    assert torch.load(last, weights_only=True)["global_step"] == 15


@pytest.mark.slow
def test_two_runs_have_the_same_weights(undisturbed, tmp_path, monkeypatch):
    before = undisturbed("cosine")
    monkeypatch.chdir(tmp_path)
    assert main(FIT) == 0
    expected, found = states(before), states(tmp_path)
    assert not [name for name in expected if not torch.equal(expected[name], found[name])]


@pytest.mark.parametrize(("times", "saved"), [(1, True), (2, False)])
def test_ctrl_c_waits_for_the_step_and_a_second_one_does_not(times, saved, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    words = [*FIT, "--data.num_workers", "1"]
    assert asked(monkeypatch, words, "on_train_batch_start", 0, 3, signal.SIGINT, times) == 130
    found = list(tmp_path.glob("runs/tiny/2*/checkpoints/last.ckpt"))
    assert bool(found) == saved
    error = capfd.readouterr().err
    assert "Ctrl-C again stops at once" in error
    assert "Traceback" not in error
    if saved:
        assert torch.load(found[0], weights_only=True)["global_step"] == 2
        assert "stopped by Ctrl-C after 2 steps; resume with" in error


def test_sigterm_before_anything_was_trained_saves_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Asker, "on_sanity_check_start", lambda *_: os.kill(os.getpid(), signal.SIGTERM), raising=False)
    assert asked(monkeypatch, [*FIT, *HERE], "on_fit_end", 9, None, signal.SIGTERM) == 143
    assert not list(tmp_path.glob("runs/tiny/2*/checkpoints/*.ckpt"))


@pytest.mark.slow
def test_a_signal_to_the_whole_group_is_taken_by_the_training_process(tmp_path):
    """As `timeout` and a terminal send it: the loader's workers must not die of it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "segapp", *FIT, "--trainer.max_epochs", "1000"],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("runs/tiny/2*/checkpoints/last.ckpt")):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGTERM)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "resume with: segapp fit --ckpt_path" in error
    assert "Traceback" not in error
