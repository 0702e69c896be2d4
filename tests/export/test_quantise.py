"""Networks in int8 stay close to their checkpoints."""

from functools import partial

import numpy as np
import pytest
import torch

from segapp.commands.export import export
from segapp.export import quantise as quantising
from segapp.export import verify as verifying
from segapp.export import write
from segapp.inference.open import open_networks
from segapp.inference.runtime import TorchRuntime
from segapp.models import PlainEncoder, UNet
from tests.export.bundles import CONVERT_ONCE, NET
from tests.inference.checkpoints import make_spec, record

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's exporter and onnxscript


@pytest.fixture(autouse=True)
def converted_once(monkeypatch):
    """Trace a network once: what is tried here comes after that."""
    monkeypatch.setattr(write, "convert_to_onnx", CONVERT_ONCE)


@pytest.mark.slow
def test_calibration_and_verification_show_how_far_they_are(exports, tmp_path, monkeypatch):
    bars = []

    def shown(items, desc, **_):
        bars.append((desc, len(items)))
        return items

    monkeypatch.setattr(quantising, "tqdm", shown)
    monkeypatch.setattr(verifying, "tqdm", shown)
    given = {"dtype": "int8", "images": str(exports / "images"), "max_changed": 0.2}
    assert export(str(exports / "0.ckpt"), "onnx", str(tmp_path / "int8"), **given) == 0
    assert bars == [("calibrating", 2), ("verifying in 32-true", 2)]


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "openvino"])
def test_int8_is_close_and_smaller(exports, format, tmp_path):
    given = {"dtype": "int8", "images": str(exports / "images"), "max_changed": 0.2}
    assert export(str(exports / "0.ckpt"), format, str(tmp_path / "int8"), **given) == 0
    found = open_networks([tmp_path / "int8"], precision="32-true")
    reference = TorchRuntime(open_networks([exports / "0.ckpt"], device="cpu").members[0].net)
    images = np.random.default_rng(1).integers(0, 256, (1, 3, 64, 64), dtype=np.uint8)
    logits = reference(images).numpy()
    difference = np.abs(found.members[0](images) - logits).max()
    assert 1e-5 < difference < 0.3 * np.abs(logits).max()


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "openvino"])
def test_in_int8_a_join_leaves_each_side_its_own_scale(exports, tmp_path, format):
    """One scale for an encoder's features and a decoder's, a thousandth of them, left nothing of the decoder's."""
    record = torch.load(exports / "0.ckpt", weights_only=True)
    weights = record["state_dict"]
    weights["net.encoder.0.0.1.conv.weight"] *= 1000  # the norms that read it divide by as much: the same network
    weights["net.encoder.1.0.0.norm.running_var"] *= 1e6
    weights["net.decoder.0.block.0.0.norm.running_var"][4:] *= 1e6
    torch.save(record, tmp_path / "uneven.ckpt")
    given = {"dtype": "int8", "images": str(exports / "images"), "max_delta": 0.4, "max_changed": 0.2}
    assert export(str(exports / "0.ckpt"), format, str(tmp_path / "even"), **given) == 0
    assert export(str(tmp_path / "uneven.ckpt"), format, str(tmp_path / "uneven"), **given) == 0


@pytest.mark.slow
def test_openvino_computes_int8_as_nearly_as_onnx_runtime(exports, tmp_path):
    """Where zero was not the middle of a range, interpolated features came out wrong, by fifteen times as much."""
    net = {**NET, "init_args": {**NET["init_args"], "upsample": "bilinear"}}
    torch.manual_seed(0)
    reference = UNet(3, 2, partial(PlainEncoder, widths=[4, 8, 8]), upsample="bilinear")
    images = np.random.default_rng(1).integers(0, 256, (2, 3, 64, 64), dtype=np.uint8)
    for _ in range(20):  # the norms learn what they see, as in a training
        reference(torch.from_numpy(images))
    weights = {f"net.{name}": value for name, value in reference.eval().state_dict().items()}
    torch.save({"state_dict": weights, "segapp": record(make_spec(), net=net)}, tmp_path / "seen.ckpt")
    logits, errors = reference(torch.from_numpy(images)).detach().numpy(), {}
    for format in ("onnx", "openvino"):
        given = {"dtype": "int8", "images": str(exports / "images"), "max_delta": 9.0, "max_changed": 1.0}
        assert export(str(tmp_path / "seen.ckpt"), format, str(tmp_path / format), **given) == 0
        found = open_networks([tmp_path / format], precision="32-true").members[0]
        errors[format] = np.abs(found.to_numpy(found(images)) - logits).mean()
    assert 0 < errors["openvino"] < 2 * errors["onnx"]
