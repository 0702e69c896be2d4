"""Weights that encoders start from, with the mean and std these expect."""

import json
from functools import partial

import pytest
import torch
from huggingface_hub import constants as hub
from safetensors.torch import save_file
from segmentation_models_pytorch.encoders import encoders as smp_encoders
from timm.data.constants import IMAGENET_DEFAULT_MEAN

from segapp.errors import SegappError
from segapp.models import UNet
from segapp.models.smp import SmpEncoder, SmpNet
from segapp.models.smp_weights import look_up_statistics, repeat_statistics


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A hub cache that holds resnet18, as if it had been fetched before."""
    settings = smp_encoders["resnet18"]["pretrained_settings"]["imagenet"]
    folder = tmp_path / f"models--{settings['repo_id'].replace('/', '--')}" / "snapshots" / settings["revision"]
    folder.mkdir(parents=True)
    weights = smp_encoders["resnet18"]["encoder"](**smp_encoders["resnet18"]["params"]).state_dict()
    save_file(weights, folder / "model.safetensors")
    statistics = {"mean": [0.4, 0.5, 0.6], "std": [0.1, 0.2, 0.3], "input_range": [0, 1], "input_space": "RGB"}
    (folder / "config.json").write_text(json.dumps(statistics))
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path))
    return weights


def test_pretrained_weights_come_from_the_cache_and_a_checkpoint_needs_neither(cache):
    net = UNet(3, 2, partial(SmpEncoder, name="resnet18", pretrained="hub")).eval()
    assert torch.equal(net.encoder.model.state_dict()["conv1.weight"], cache["conv1.weight"])
    assert net.normalise.mean.flatten().tolist() == pytest.approx([0.4, 0.5, 0.6])
    rebuilt = UNet(3, 2, partial(SmpEncoder, name="resnet18", pretrained=False)).eval()
    rebuilt.load_state_dict(net.state_dict())
    images = torch.rand(1, 3, 32, 32)
    assert torch.equal(rebuilt(images), net(images))


@pytest.mark.parametrize(("in_channels", "mean"), [(1, [0.5]), (5, [0.4, 0.5, 0.6, 0.4, 0.5])])
def test_statistics_follow_the_filters_when_channels_differ(cache, in_channels, mean):
    assert SmpEncoder(in_channels, "resnet18", pretrained="hub").mean == pytest.approx(mean)
    net = SmpNet(in_channels, 2, "fpn", "resnet18", pretrained="hub")
    assert net.normalise.mean.flatten().tolist() == pytest.approx(mean)


@pytest.mark.parametrize("name", ["resnet18", "tu-convnext_atto"])
def test_unreachable_weights_are_one_sentence_at_once(name, tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub, "ENDPOINT", "http://127.0.0.1:9")
    sentence = rf"weights of {name} are not in .* does not answer.*set pretrained: false"
    with pytest.raises(SegappError, match=sentence):
        SmpEncoder(3, name, pretrained="hub")
    assert hub.HF_HUB_OFFLINE is False


@pytest.mark.parametrize(
    ("in_channels", "mean"), [(1, [0.4]), (2, [0.2, 0.4]), (3, [0.2, 0.4, 0.6]), (5, [0.2, 0.4, 0.6, 0.2, 0.4])]
)
def test_statistics_are_averaged_for_one_channel_and_repeated_for_more(in_channels, mean):
    settings = {"mean": [51.0, 102.0, 153.0], "std": [25.5, 25.5, 25.5], "input_range": [0, 255]}
    found = repeat_statistics(settings, in_channels)
    assert found[0] == pytest.approx(mean) and found[1] == pytest.approx([0.1] * in_channels)


@pytest.mark.parametrize(
    ("encoder", "mean"),
    [
        ("resnet18", IMAGENET_DEFAULT_MEAN),
        ("inceptionv4", (0.5, 0.5, 0.5)),
        ("tu-tf_efficientnet_lite0", (0.5, 0.5, 0.5)),
    ],
)
def test_statistics_are_those_of_the_published_weights(encoder, mean):
    assert look_up_statistics(encoder)["mean"] == pytest.approx(mean)
