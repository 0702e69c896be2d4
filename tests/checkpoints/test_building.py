"""Networks are built from settings, with the weights that fit them."""

import pytest
import torch

from segapp.checkpoints.building import build_user_part, make_offline
from segapp.checkpoints.checkpoint import load_checkpoint
from segapp.datasets import Fraction, Source
from segapp.errors import MisuseError
from segapp.models import BlockStyle, PlainEncoder, UNet
from tests.checkpoints.refusal import ALLOWED, refusal
from tests.inference.checkpoints import THRESHOLD, record, write_checkpoint


def test_a_unet_with_an_injected_encoder_is_rebuilt_bit_for_bit(tmp_path):
    torch.manual_seed(3)
    net = UNet(
        3, 2, encoder=lambda channels: PlainEncoder(channels, (4, 8), block=BlockStyle(norm="group")), long_skip="add"
    )
    encoder = {"class_path": "segapp.models.PlainEncoder", "init_args": {"widths": [4, 8], "block": {"norm": "group"}}}
    arguments = {"in_channels": 3, "num_classes": 2, "encoder": encoder, "long_skip": "add"}
    config = {"class_path": "segapp.models.UNet", "init_args": arguments}
    weights = {f"net.{name}": value for name, value in net.state_dict().items()}
    torch.save({"state_dict": weights, "segapp": record(net=config)}, tmp_path / "unet.ckpt")
    _, rebuilt, _ = load_checkpoint(tmp_path / "unet.ckpt")
    images = torch.randint(0, 256, (1, 3, 37, 50), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(rebuilt(images), net.eval()(images))


def test_rebuilding_fetches_no_weights(tmp_path):
    path = write_checkpoint(tmp_path / "a.ckpt", level=0.25, init_args={"pretrained": True})
    _, net, _ = load_checkpoint(path, ALLOWED)
    assert net.weight == 0.25


@pytest.mark.parametrize(
    "name", ["tu-hf-hub:evil/model", "tu-local-dir:/home/me/other", "tu-HF-HUB:x", "{checkpoint_path: /x}"]
)
def test_a_network_that_would_be_looked_up_elsewhere_is_refused(tmp_path, name):
    net = {"class_path": "segapp.models.smp.SmpNet", "init_args": {"encoder": name, **SIZES}}
    with pytest.raises(MisuseError, match="looked up elsewhere"):
        load_checkpoint(write_checkpoint(tmp_path / "a.ckpt", net=net))


def test_files_that_training_began_from_are_not_read_again():
    encoder = {
        "class_path": "segapp.models.smp.SmpEncoder",
        "init_args": {"name": "tu-resnet10t", "options": {"checkpoint_path": "/secret", "cache_dir": "/x", "out": 1}},
    }
    settings = make_offline({"class_path": "segapp.models.UNet", "init_args": {"encoder": encoder}}, [])
    assert settings["init_args"]["encoder"]["init_args"]["options"] == {"out": 1}
    # Also where the user's own config names the class, as what `segapp plan` writes does.
    assert make_offline(encoder, ["segapp.models.smp.SmpEncoder"])["init_args"]["options"] == {"out": 1}
    mine = {"class_path": THRESHOLD, "init_args": {"cache_dir": "http://mine"}}
    assert make_offline(mine, ALLOWED)["init_args"]["cache_dir"] == "http://mine"


@pytest.mark.parametrize("net", ["Other", "Threshold"])
def test_weights_that_do_not_fit_are_refused(tmp_path, net):
    config = {"class_path": f"tests.inference.checkpoints.{net}", "init_args": {"in_channels": 3, "num_classes": 2}}
    weights = {"net.weight": torch.zeros(2)} if net == "Other" else {"net.bias": torch.zeros(())}
    torch.save({"state_dict": weights, "segapp": record(net=config)}, tmp_path / "w.ckpt")
    assert "do not fit" in refusal(tmp_path / "w.ckpt")


@pytest.mark.parametrize("init_args", [{"unknown": 3}, {"level": "high"}, {"level": {"a": 1}}])
def test_settings_the_network_does_not_take_are_refused(tmp_path, init_args):
    told = refusal(write_checkpoint(tmp_path / "s.ckpt", init_args=init_args))
    assert "cannot be built" in told or "network.level" in told


SIZES = {"in_channels": 3, "num_classes": 2}


def test_a_class_named_by_one_word_is_no_file_of_the_current_folder(tmp_path, monkeypatch):
    """A stranger's file of that name would be taken for the settings."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Fraction").write_text("class_path: segapp.datasets.Lists\ninit_args: {train: a, val: b}\n")
    settings = {"root": "data", "classes": ["a", "b"], "split": "Fraction"}
    config = {"class_path": "segapp.datasets.Folder", "init_args": settings}
    assert type(build_user_part("data.yaml", Source, "source", config).split) is Fraction
    (tmp_path / "part").write_text("class_path: segapp.datasets.Cells\n")
    with pytest.raises(MisuseError, match=r"data\.yaml"):
        build_user_part("data.yaml", Source, "source", "part")
