"""An exported network computes what its checkpoint does, and tells nothing of this machine."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from segapp.checkpoints.bundle import read_bundle
from segapp.commands.export import export
from segapp.errors import MisuseError
from segapp.inference.open import open_networks
from tests.inference.checkpoints import make_spec

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's exporter and onnxscript


@pytest.mark.parametrize("format", ["onnx", "openvino", "weights"])
def test_a_bundle_gives_the_checkpoints_logits_for_any_batch_and_size(exports, format):
    reference = open_networks([exports / "0.ckpt"], device="cpu").members[0]
    bundle = open_networks([exports / format], device="auto" if format == "weights" else "cpu", precision="32-true")
    for shape in ((1, 3, 64, 64), (3, 3, 33, 70)):
        images = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
        found = bundle.members[0].to_numpy(bundle.members[0](images))
        assert found.dtype == np.float32
        assert np.allclose(found, reference(images).numpy(), atol=1e-4)
    verdict = json.loads((exports / format / "verification.json").read_text())
    assert verdict["given"]
    assert verdict["images"] == 4
    assert all(check["passed"] for check in verdict["checks"])
    assert read_bundle(exports / format).spec == make_spec()
    assert not read_bundle(exports / format).window_statistics


def test_a_bundle_holds_no_path_of_this_machine(exports):
    for path in (*exports.glob("onnx/*"), *exports.glob("openvino/*"), *exports.glob("weights/*")):
        content = path.read_bytes()
        assert b".py" not in content, path
        assert str(exports).encode() not in content, path
        assert path.stat().st_mode & 0o044, path


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "openvino", "weights"])
def test_half_precision_takes_half_the_space(exports, format, tmp_path):
    assert export(str(exports / "0.ckpt"), format, str(tmp_path / "half"), dtype="fp16") == 0
    weights = {"onnx": "network.onnx", "openvino": "network.bin", "weights": "network.safetensors"}[format]
    size = (tmp_path / "half" / weights).stat().st_size
    assert size < (0.9 if format == "onnx" else 0.7) * (exports / format / weights).stat().st_size  # a graph stays one
    assert not json.loads((tmp_path / "half" / "verification.json").read_text())["given"]


def refused(folder, message):
    with pytest.raises(MisuseError) as told:
        open_networks([folder], device="cpu")
    assert message in str(told.value)


@pytest.mark.slow
def test_a_program_of_torch_is_written_but_not_loaded(exports, tmp_path):
    assert export(str(exports / "0.ckpt"), "pt2", str(tmp_path / "program")) == 0
    assert (tmp_path / "program" / "network.pt2").is_file()
    with zipfile.ZipFile(tmp_path / "program" / "network.pt2") as archive:
        held = b"".join(archive.read(name) for name in archive.namelist())
    for folder in (Path(torch.__file__).parents[1], Path(__file__).parents[2], tmp_path):
        assert str(folder).encode() not in held
    refused(tmp_path / "program", "unpickle")
