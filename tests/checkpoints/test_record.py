"""What a checkpoint says of itself when a Trainer in Python wrote it."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from segapp.checkpoints.record import make_record
from segapp.checkpoints.version import VERSION
from segapp.datasets import Folder
from segapp.losses import DiceCrossEntropy
from segapp.models import PlainEncoder, UNet
from tests.inference.checkpoints import make_spec


def make_module(net=None, loss=None, data=None):
    net = net or UNet(3, 2, partial(PlainEncoder, widths=(4, 8)))
    metrics = {"val/loss": torch.tensor(0.5), "train/loss": torch.tensor(2.0)}
    trainer = SimpleNamespace(datamodule=data, callback_metrics=metrics)
    return SimpleNamespace(net=net, loss=loss or DiceCrossEntropy(), spec=make_spec(), trainer=trainer)


def make_data():
    splits = {"train": ["a"], "val": ["b"], "test": []}
    source = Folder("data", ["background", "cell"])
    return SimpleNamespace(source=source, sampling=SimpleNamespace(seed=3), split_names=lambda: splits)


def test_with_data_the_record_holds_all_that_scoring_needs():
    found = make_record(make_module(data=make_data()))
    assert (found["version"], found["spec"]) == (VERSION, make_spec().to_dict())
    assert found["scores"] == {"val/loss": 0.5}
    assert found["splits"] == {"train": ["a"], "val": ["b"], "test": []}
    arguments = found["net"]["init_args"]
    assert (arguments["in_channels"], arguments["num_classes"]) == (3, 2)
    config = found["config"]
    assert config["seed_everything"] == 3
    assert config["model"]["net"] == {
        "class_path": found["net"]["class_path"],
        "init_args": {key: arguments[key] for key in arguments if key not in ("in_channels", "num_classes")},
    }
    assert config["model"]["loss"]["class_path"] == "segapp.losses.DiceCrossEntropy"
    assert config["data"]["source"]["class_path"] == "segapp.datasets.Folder"
    assert config["data"]["window"] == list(make_spec().window)


def test_without_data_a_checkpoint_serves_prediction_only():
    found = make_record(make_module())
    assert found["net"]["class_path"] == "segapp.models.UNet"
    assert (found["config"], found["splits"]) == ({}, {})


def test_a_loss_that_does_not_say_how_it_was_made_leaves_prediction():
    with pytest.warns(UserWarning, match="segapp test cannot use .*CrossEntropyLoss"):
        found = make_record(make_module(loss=nn.CrossEntropyLoss(ignore_index=255), data=make_data()))
    assert found["net"]["class_path"] == "segapp.models.UNet"
    assert found["config"] == {}


def test_a_network_that_does_not_say_how_it_was_made_is_warned_of():
    with pytest.warns(UserWarning, match="segapp cannot use this checkpoint .*Conv2d"):
        found = make_record(make_module(net=nn.Conv2d(3, 2, 1), data=make_data()))
    assert (found["net"], found["config"]) == ({}, {})
