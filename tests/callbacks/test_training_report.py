"""A training leaves its report, however it ends."""

import math
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch.loggers import CSVLogger

from segapp.callbacks import TimeBudget, TrainingReport
from segapp.errors import SegappError, StoppedError
from segapp.spec import Spec

SPEC = Spec(classes=("background", "cell"), background=0, palette=((0, 0, 0), (255, 0, 0)), channels=1)
MODULE = SimpleNamespace(spec=SPEC, device=torch.device("cpu"))


def make_trainer(**changes) -> SimpleNamespace:
    plain = {"global_step": 0, "current_epoch": 0, "is_global_zero": True, "fast_dev_run": 0, "sanity_checking": False}
    given = {
        "loggers": [],
        "callbacks": [],
        "callback_metrics": {},
        "world_size": 1,
        "state": SimpleNamespace(fn="fit"),
    }
    return SimpleNamespace(**{**plain, **given, **changes})


def train(folder, trainer, score=0.5) -> TrainingReport:
    """A report at the end of five steps and a validation."""
    report = TrainingReport(folder)
    report.on_train_start(trainer, MODULE)
    trainer.global_step += 5
    report.on_validation_start(trainer, MODULE)
    trainer.callback_metrics["val/dice/dataset"] = torch.tensor(score)
    report.on_validation_end(trainer, MODULE)
    return report


def test_the_report_has_the_end_and_the_best_validation_and_loggers_get_its_score(tmp_path):
    logger = CSVLogger(tmp_path, name="", version="log")
    trainer = make_trainer(loggers=[logger])
    train(tmp_path, trainer).on_fit_end(trainer, MODULE)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "after 5 steps" in page and "0.5000</b>" in page
    logger.save()
    assert "best/dice/dataset" in (tmp_path / "log" / "metrics.csv").read_text()


def test_what_ended_a_run_early_is_named(tmp_path):
    budget = TimeBudget(1)
    budget.end = 5
    trainer = make_trainer(callbacks=[budget])
    train(tmp_path, trainer, math.nan).on_fit_end(trainer, MODULE)
    assert "TimeBudget after 5 steps" in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "error", [StoppedError("stopped by Ctrl-C", 2), SegappError("the disk is full"), ValueError("x")]
)
def test_a_run_that_was_stopped_or_failed_has_a_report(error, tmp_path):
    trainer = make_trainer()
    train(tmp_path, trainer).on_exception(trainer, MODULE, error)
    named = str(error) if isinstance(error, SegappError) else "ValueError"
    assert named in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_second_signal_does_not_wait_for_a_report(tmp_path):
    trainer = make_trainer()
    train(tmp_path, trainer).on_exception(trainer, MODULE, KeyboardInterrupt())
    assert not list(tmp_path.iterdir())


def test_a_report_that_cannot_be_written_is_reported_and_hides_no_error(tmp_path, monkeypatch):
    page, reported = tmp_path / "report.html", []
    monkeypatch.setattr("segapp.callbacks.training_report.rank_zero_info", reported.append)
    page.mkdir()
    trainer = make_trainer()
    train(tmp_path, trainer).on_exception(trainer, MODULE, ValueError("x"))
    (message,) = reported
    assert message.startswith(f"{page} was not written: {page}: cannot be written")


@pytest.mark.parametrize(
    "changes", [{"is_global_zero": False}, {"fast_dev_run": 1}, {"global_step": -5}], ids=["rank 1", "trial", "no step"]
)
def test_other_processes_trials_and_runs_without_a_step_write_nothing(changes, tmp_path):
    trainer = make_trainer(**changes)
    report = train(tmp_path, trainer) if trainer.global_step == 0 else TrainingReport(tmp_path)
    report.on_fit_end(trainer, MODULE)
    assert not list(tmp_path.iterdir())
