"""The network of a bundle of format `weights`."""

import json

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from segapp.checkpoints.bundle_weights import load_weights
from segapp.errors import MisuseError

NET = {"class_path": "torch.nn.Conv2d", "init_args": {"in_channels": 1, "out_channels": 2, "kernel_size": 1}}


@pytest.fixture
def network(tmp_path):
    """A network file of a bundle, beside its description."""
    save_file({"weight": torch.ones(2, 1, 1, 1), "bias": torch.zeros(2)}, tmp_path / "network.safetensors")
    (tmp_path / "network.json").write_text(json.dumps(NET))
    return tmp_path / "network.safetensors"


def test_the_network_has_its_weights_and_is_in_evaluation_mode(network):
    net = load_weights(network, ["torch.nn.Conv2d"])
    assert isinstance(net, nn.Conv2d) and not net.training
    assert torch.equal(net.weight, torch.ones(2, 1, 1, 1))


def test_a_damaged_file_is_named(network):
    network.write_bytes(network.read_bytes()[:20])
    with pytest.raises(MisuseError, match=r"network\.safetensors with network\.json"):
        load_weights(network, ["torch.nn.Conv2d"])
