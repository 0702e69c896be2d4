"""What a run's trainer is made of."""

import pytest
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from segapp.cli import main
from segapp.errors import MisuseError
from segapp.training.trainer_settings import (
    UNFIT,
    make_trainer_settings,
    refuse_unfit_callbacks,
    refuse_unfit_filenames,
)
from tests.cli.tiny import TINY

PLAIN = {"callbacks": None, "enable_progress_bar": False, "plugins": None, "enable_model_summary": None}


@pytest.mark.parametrize(
    ("given", "kinds"),
    [
        (None, [TensorBoardLogger]),
        (True, [TensorBoardLogger]),
        (CSVLogger("x"), [CSVLogger, TensorBoardLogger]),
        ([CSVLogger("x")], [CSVLogger, TensorBoardLogger]),
        (TensorBoardLogger("x"), [TensorBoardLogger]),
    ],
    ids=["none", "true", "another", "a list", "its own"],
)
def test_tensorboard_stays_beside_another_logger(given, kinds, tmp_path):
    settings = make_trainer_settings({**PLAIN, "logger": given}, tmp_path, True, [])
    assert [type(logger) for logger in settings["logger"]] == kinds


def test_no_logger_is_none(tmp_path):
    assert make_trainer_settings({**PLAIN, "logger": False}, tmp_path, True, [])["logger"] is False


@pytest.mark.parametrize("name", UNFIT)
@pytest.mark.parametrize("package", ["lightning.pytorch.callbacks", "pytorch_lightning.callbacks"])
def test_callbacks_that_cannot_work_are_refused_with_what_does(name, package):
    with pytest.raises(MisuseError, match=name):
        refuse_unfit_callbacks([{"class_path": f"{package}.{name}"}])
    refuse_unfit_callbacks([{"class_path": f"mine.{name}"}])


@pytest.mark.parametrize(
    ("callback", "code", "said"),
    [
        ("{class_path: %s.LearningRateFinder}", 2, "LearningRateFinder"),
        ("{class_path: %s.GradientAccumulationScheduler, init_args: {scheduling: {0: 2}}}", 2, "accumulate_grad"),
        ("{class_path: %s.Timer, init_args: {duration: '00:01:00:00'}}", 0, ""),
    ],
    ids=["finder", "scheduler", "timer"],
)
def test_lightnings_callbacks_work_or_say_why_not(callback, code, said, without_curves, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["--trainer.callbacks", f"[{callback % 'lightning.pytorch.callbacks'}]", "--trainer.max_steps", "1"]
    assert main(["fit", "--config", str(TINY), "--data.num_workers", "0", *words]) == code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("filename", ["{step:.2d}", "{step}/.{step.device.type:.0}.", "{val/loss:d}", "{train/loss:x}"])
def test_a_name_of_checkpoints_that_suits_no_value_is_refused_before_training(filename):
    with pytest.raises(MisuseError, match="ModelCheckpoint: filename"):
        refuse_unfit_filenames([ModelCheckpoint(filename=filename)], ["val/loss"])


@pytest.mark.parametrize("filename", [None, "{epoch:03d}-{step}", "{val/loss:.3f}", "{lr:.2f}", "plain"])
def test_names_of_checkpoints_that_suit_their_values_pass(filename):
    refuse_unfit_filenames([ModelCheckpoint(filename=filename, auto_insert_metric_name=False)], ["val/loss"])
