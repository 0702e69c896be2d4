"""The network, data and loss of a landscape are opened from files."""

from functools import partial

import numpy as np
import pytest
import torch
import yaml

from segapp.datasets import Cells
from segapp.errors import MisuseError
from segapp.io import write_image
from segapp.lab.landscape.opening import LandscapeRequest, open_landscape
from segapp.losses import DiceCrossEntropy
from segapp.models import PlainEncoder, UNet
from tests.inference.checkpoints import make_spec, record

CELLS = {"class_path": "segapp.datasets.Cells", "init_args": {"size": 32, "train": 3, "val": 2, "test": 0}}
LOSS = {"class_path": "segapp.losses.DiceCrossEntropy", "init_args": {"class_weights": [1.0, 2.0]}}

NET = {
    "class_path": "segapp.models.UNet",
    "init_args": {
        "encoder": {"class_path": "segapp.models.PlainEncoder", "init_args": {"widths": [2]}},
        "in_channels": 1,
        "num_classes": 2,
    },
}


def make_weights(seed):
    torch.manual_seed(seed)
    return {f"net.{name}": value for name, value in UNet(1, 2, partial(PlainEncoder, widths=[2])).state_dict().items()}


@pytest.fixture
def checkpoint(tmp_path):
    """A checkpoint of a small network, with its data and its loss."""
    spec = make_spec(channels=1, palette=((0, 0, 0), (60, 200, 90)))
    path = tmp_path / "best.ckpt"
    source = {**CELLS, "init_args": {**CELLS["init_args"], "root": str(tmp_path / "cells")}}
    Cells(**source["init_args"]).items("train")  # generates the images
    config = {"data": {"source": source, "crop": 16, "batch_size": 2}, "model": {"loss": LOSS}}
    splits = {"train": ["train/images/cells_0000"], "val": ["val/images/cells_0000"], "test": []}
    loss = DiceCrossEntropy(class_weights=[1.0, 2.0])
    weights = make_weights(0) | {f"loss.{key}": value for key, value in loss.state_dict().items()}
    made = record(spec, net=NET) | {"config": config, "splits": splits}
    torch.save({"segapp": made, "state_dict": weights}, path)
    return path


def request(checkpoint, **changes):
    plain = {"data": None, "split": "train", "samples": 2, "seeds": 1, "recalibrate": False, "allowed": ()}
    return LandscapeRequest(**{"checkpoint": str(checkpoint), **plain, **changes})


def test_everything_is_opened_as_in_training(checkpoint):
    found = open_landscape(request(checkpoint), "cpu")
    assert found.images == ["train/images/cells_0000"]  # the images of the checkpoint's split, not all of the folder's
    assert (found.size, found.loss, found.path) == ((16, 16), LOSS["class_path"], None)
    assert found.sampling == {"crop": 16, "batch_size": 2}
    assert np.isfinite(found.surface.compute_loss({}))
    assert found.surface.compute_loss({0: 1.0}) != found.surface.compute_loss({})


def test_checkpoints_on_the_way_span_the_last_two_directions(checkpoint, tmp_path):
    way = []
    for number in range(1, 4):
        content = {"state_dict": make_weights(number), "segapp": record(make_spec(channels=1), net=NET)}
        torch.save(content, tmp_path / f"{number}.ckpt")
        way.append(str(tmp_path / f"{number}.ckpt"))
    found = open_landscape(request(checkpoint, trajectory=tuple(way)), "cpu")
    assert found.path.shape == (3, 2) and sum(found.explained) == pytest.approx(1)


def test_a_checkpoint_of_another_network_is_named(checkpoint, tmp_path):
    net = {"class_path": "tests.inference.checkpoints.Other", "init_args": {"in_channels": 1, "num_classes": 2}}
    content = {"state_dict": {"net.weight": torch.zeros(7)}, "segapp": record(make_spec(channels=1), net=net)}
    torch.save(content, tmp_path / "other.ckpt")
    allowed = (net["class_path"],)
    with pytest.raises(MisuseError, match=r"other\.ckpt"):
        open_landscape(request(checkpoint, trajectory=(str(tmp_path / "other.ckpt"),), allowed=allowed), "cpu")


@pytest.mark.parametrize("content", ["[]", "crop: 16"])
def test_a_fragment_without_a_source_is_refused_by_name(checkpoint, tmp_path, content):
    (tmp_path / "mine.yaml").write_text(content)
    with pytest.raises(MisuseError, match=r"mine\.yaml"):
        open_landscape(request(checkpoint, data=str(tmp_path / "mine.yaml")), "cpu")


def test_data_of_other_classes_are_refused(checkpoint, tmp_path):
    source = {"class_path": "segapp.datasets.Folder"}
    for folder in ("images", "masks"):
        write_image(tmp_path / "mine" / folder / "a.png", np.zeros((20, 20), np.uint8))
    source["init_args"] = {"root": str(tmp_path / "mine"), "classes": ["sky", "road"], "channels": 1}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"source": source}))
    with pytest.raises(MisuseError, match="sky, road"):
        open_landscape(request(checkpoint, data=str(tmp_path / "mine.yaml")), "cpu")
