"""Settings, sample images and the report reach every logger that takes them, and nothing else does."""

import inspect
import json
import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple
from unittest.mock import Mock
from zipfile import ZipFile

import lightning.pytorch.loggers
import numpy as np
import pytest
import yaml
from lightning.pytorch.loggers import CometLogger, CSVLogger, MLFlowLogger, TensorBoardLogger, WandbLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from segapp.callbacks.trackers import (
    BEST,
    PACKAGES,
    log_best,
    log_image,
    log_report,
    log_settings,
    refuse_lost_names,
    refuse_missing_packages,
)
from segapp.errors import MisuseError
from tests.cli.tiny import TINY

IMAGE = np.zeros((2, 3, 3), np.uint8)
PAGE = Path(__file__).parents[2] / "docs" / "trackers.md"
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
NAMES = [re.search(r"\w+Logger", block)[0] for block in BLOCKS]
CONFIG = {
    "name": "a",
    "seed_everything": 0,
    "model": {"net": {"class_path": "segapp.models.UNet", "init_args": {"widths": [4, 8]}}},
    "data": {"source": {"class_path": "x.Y", "init_args": {"mask": {"#ff0000": "cell"}, "root": "cell\udce9"}}},
    "trainer": {"max_epochs": 2, "callbacks": [{"class_path": "a.B"}], "logger": {"init_args": {"api_key": "secret"}}},
}


@pytest.mark.parametrize("kind", [TensorBoardLogger, WandbLogger, MLFlowLogger, CometLogger])
def test_each_logger_gets_the_image_its_name_and_the_step(kind):
    logger = Mock(spec=kind)
    log_image(logger, "samples/a", IMAGE, 7)
    (call,) = [call for call in logger.mock_calls if "image" in call[0]]
    values = [*call.args, *call.kwargs.values()]
    images = [image for value in values for image in (value if isinstance(value, list) else [value])]
    assert any(np.array_equal(np.asarray(image), IMAGE) for image in images if not isinstance(image, str | int))
    assert "samples/a" in [value for value in values if isinstance(value, str)]
    assert 7 in [value for value in values if isinstance(value, int)]


def test_mlflow_gets_names_of_images_in_its_letters():
    """It raised ValueError for others, which ended a training after its first epoch."""
    logger = Mock(spec=MLFlowLogger)
    log_image(logger, "samples/Zählung #1", IMAGE, 7)
    (call,) = [call for call in logger.mock_calls if "image" in call[0]]
    assert re.fullmatch(r"[a-zA-Z0-9_\-./ ]+", call.kwargs["key"])


def test_a_logger_without_images_gets_none():
    logger = Mock(spec=CSVLogger)
    log_image(logger, "samples/a", IMAGE, 7)
    assert not logger.mock_calls


def test_a_file_name_that_is_no_text_is_escaped(tmp_path):
    """It ended a training after its first epoch, with a traceback."""
    logger = TensorBoardLogger(tmp_path)
    log_image(logger, os.fsdecode(b"samples/cell\xe9"), IMAGE, 7)
    logger.experiment.flush()
    (events,) = tmp_path.rglob("events*")
    assert b"samples/cell\\udce9" in events.read_bytes()


@pytest.mark.parametrize(("kind", "name"), [(MLFlowLogger, "log_artifact"), (CometLogger, "log_asset")])
def test_loggers_that_take_files_get_the_report(kind, name, tmp_path):
    logger = Mock(spec=kind)
    log_report(logger, tmp_path / "report.html", 7)
    (made,) = [one for one in logger.mock_calls if one[0] == f"experiment.{name}"]
    assert str(tmp_path / "report.html") in made.args


def test_weights_and_biases_shows_the_report_unchanged(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(Html=lambda *given, **options: (given, options)))
    logger = Mock(spec=WandbLogger)
    log_report(logger, tmp_path / "report.html", 7)
    logger.log_metrics.assert_called_once_with({"report": ((str(tmp_path / "report.html"),), {"inject": False})}, 7)


@pytest.mark.parametrize("kind", [CSVLogger, TensorBoardLogger])
def test_a_logger_without_files_gets_no_report(kind, tmp_path):
    logger = Mock(spec=kind)
    log_report(logger, tmp_path / "report.html", 7)
    assert not logger.mock_calls


@pytest.mark.parametrize("kind", [CSVLogger, WandbLogger, MLFlowLogger, CometLogger])
def test_settings_are_plain_and_hold_no_key_of_a_logger(kind):
    logger = Mock(spec=kind)
    log_settings(logger, CONFIG)
    (settings,) = logger.log_hyperparams.call_args.args
    assert settings["model"]["net"] == {"class_path": "segapp.models.UNet", "init_args": {"widths": "[4, 8]"}}
    assert settings["trainer"] == {"max_epochs": 2, "callbacks": {"0": {"class_path": "a.B"}}}
    assert settings["data"]["source"]["init_args"] == {"mask": '{"#ff0000": "cell"}', "root": "cell\\udce9"}


def test_tensorboard_lists_runs_by_their_best_score(tmp_path):
    logger = TensorBoardLogger(tmp_path, default_hp_metric=False)
    log_settings(logger, CONFIG)
    log_best(logger, 0.5, 3)
    logger.save()
    content = b"".join(path.read_bytes() for path in tmp_path.rglob("events*"))
    assert b"model/net/class_path" in content and content.count(BEST.encode()) >= 2
    assert b"secret" not in content
    (kept,) = tmp_path.rglob("hparams.yaml")
    assert yaml.safe_load(kept.read_text())["trainer"]["max_epochs"] == 2


def test_classes_that_mlflow_cannot_tell_apart_are_refused():
    logger = Mock(spec=MLFlowLogger)
    for names in (["val/dice/dataset", "val/dice/dataset/細胞"], ["val/dice/dataset/Zähler", "val/dice/dataset/Zhler"]):
        with pytest.raises(MisuseError, match="MLFlowLogger"):
            refuse_lost_names([logger], names)
        refuse_lost_names([Mock(spec=WandbLogger)], names)
    refuse_lost_names(logger, ["val/dice/dataset", "val/dice/dataset/Zähler"])


@pytest.mark.parametrize("name", PACKAGES)
def test_a_missing_package_is_named(name, monkeypatch):
    given = SimpleNamespace(class_path=f"lightning.pytorch.loggers.{name}")
    monkeypatch.setattr("segapp.callbacks.trackers.find_spec", lambda module: None)
    with pytest.raises(MisuseError, match=f"{name}.*pip install {PACKAGES[name][1]}"):
        refuse_missing_packages([True, given])
    refuse_missing_packages([False, SimpleNamespace(class_path=f"mine.{name}")])
    monkeypatch.setattr("segapp.callbacks.trackers.find_spec", lambda module: module)
    refuse_missing_packages([given])


def test_the_guide_has_every_logger():
    assert sorted(NAMES) == sorted(["TensorBoardLogger", *PACKAGES])


@pytest.mark.parametrize("block", BLOCKS, ids=NAMES)
def test_the_settings_of_the_guide_are_those_of_lightning(block):
    assert block.count("\n") == 3
    settings = yaml.safe_load(block)["trainer.logger"]
    kind = getattr(lightning.pytorch.loggers, settings["class_path"].rpartition(".")[2])
    assert settings["class_path"] == f"lightning.pytorch.loggers.{kind.__name__}"
    inspect.signature(kind).bind(**settings["init_args"])
    assert {*settings["init_args"]} <= {*inspect.signature(kind).parameters}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of MLflow's own code
@pytest.mark.parametrize("block", BLOCKS, ids=NAMES)
def test_a_training_with_the_settings_of_the_guide(block, tmp_path, monkeypatch):
    """In a process of its own: Comet changes other packages where it is imported."""
    name = re.search(r"\w+Logger", block)[0]
    monkeypatch.chdir(tmp_path)
    Path("tracker.yaml").write_text(block)
    words = ["--config", str(TINY), "--config", "tracker.yaml", "--data.num_workers", "0", "--trainer.max_epochs", "1"]
    words += ["--trainer.callbacks+", "segapp.callbacks.SamplePictures"]
    subprocess.run([sys.executable, "-m", "segapp", "fit", *words], env=os.environ | OFFLINE, check=True)
    arrived = READERS[name]()
    assert "segapp.models.UNet" in arrived.settings
    assert {"val/loss", "val/dice/dataset", "val/iou/dataset/cell", BEST} <= arrived.scores
    assert arrived.pictures == 3
    (report,) = Path("runs").rglob("report.html")
    assert arrived.report == (None if name == "TensorBoardLogger" else report.read_text(encoding="utf-8"))


OFFLINE = {
    "WANDB_MODE": "offline",
    "COMET_START_ONLINE": "0",
    "COMET_OFFLINE_DIRECTORY": "comet",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


class Arrived(NamedTuple):
    """What a tracker has of a run."""

    settings: str
    scores: set[str]
    pictures: int
    report: str | None


def read_tensorboard():
    accumulator = EventAccumulator(str(next(Path("tensorboard").rglob("events*")).parent))
    accumulator.Reload()
    tags = accumulator.Tags()
    settings = next(Path("tensorboard").rglob("hparams.yaml")).read_text()
    return Arrived(settings, set(tags["scalars"]), len(tags["images"]), None)


def read_mlflow():
    client = import_module("mlflow").MlflowClient("sqlite:///mlflow.db")
    (experiment,) = (one for one in client.search_experiments() if one.name == "cells")
    (run,) = client.search_runs([experiment.experiment_id])
    pictures = [one.path for one in client.list_artifacts(run.info.run_id, "images") if one.path.endswith(".png")]
    report = Path(client.download_artifacts(run.info.run_id, "report.html"))
    return Arrived(str(run.data.params), set(run.data.metrics), len(pictures), report.read_text(encoding="utf-8"))


def read_wandb():
    (folder,) = Path("wandb").glob("offline-run-*")
    (record,) = folder.glob("*.wandb")
    content = record.read_bytes()
    names = ("val/loss", "val/dice/dataset", "val/iou/dataset/cell", BEST)
    (report,) = folder.rglob("*.html")
    pictures = len(list((folder / "files" / "media" / "images").rglob("*.png")))
    settings = content.decode("utf-8", "ignore")
    return Arrived(settings, {name for name in names if name.encode() in content}, pictures, report.read_text("utf-8"))


def read_comet():
    (path,) = Path("comet").glob("*.zip")
    with ZipFile(path) as archive:
        messages = [json.loads(line)["payload"] for line in archive.read("messages.json").splitlines()]
        uploads = [one for one in messages if "upload_type" in one]
        (report,) = (one for one in uploads if one["additional_params"].get("fileName") == "report.html")
        page = archive.read(report["file_path"]).decode()
    shown = {one["additional_params"]["figName"] for one in uploads if one["upload_type"] == "visualization"}
    scores = {one["metric"]["metricName"] for one in messages if "metric" in one}
    return Arrived(str([one["param"] for one in messages if "param" in one]), scores, len(shown), page)


READERS = {
    "TensorBoardLogger": read_tensorboard,
    "MLFlowLogger": read_mlflow,
    "WandbLogger": read_wandb,
    "CometLogger": read_comet,
}
