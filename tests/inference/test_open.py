"""From paths to networks, or to one sentence."""

import json
import shutil

import onnx
import pytest

from segapp.errors import MisuseError
from segapp.inference.open import Networks, check_alike, make_engine, open_networks
from tests.inference.checkpoints import THRESHOLD, make_spec, write_checkpoint
from tests.inference.runtimes import LocalRuntime


@pytest.fixture
def copy(exports, tmp_path):
    def copy(format):
        shutil.copytree(exports / format, tmp_path / "bundle")
        return tmp_path / "bundle"

    return copy


def refused(folder, message):
    with pytest.raises(MisuseError) as told:
        open_networks([folder], device="cpu")
    assert message in str(told.value)


def test_links_and_outside_weights_are_refused(copy, tmp_path):
    folder = copy("onnx")
    (folder / "network.onnx").rename(tmp_path / "elsewhere.onnx")
    (folder / "network.onnx").symlink_to(tmp_path / "elsewhere.onnx")
    refused(folder, "out of the bundle")
    (folder / "network.onnx").unlink()
    model = onnx.load(tmp_path / "elsewhere.onnx")
    weight = max(model.graph.initializer, key=lambda part: len(part.raw_data))
    (tmp_path / "secret").write_bytes(weight.raw_data)
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="../secret")
    (folder / "network.onnx").write_bytes(model.SerializeToString())
    refused(folder, "names other files for its weights")


@pytest.mark.parametrize(
    ("format", "file"),
    [
        ("onnx", "network.onnx"),
        ("openvino", "network.bin"),
        ("openvino", "network.xml"),
        ("weights", "network.safetensors"),
        ("weights", "network.json"),
        ("onnx", "spec.json"),
        ("onnx", "bundle.json"),
    ],
)
def test_a_cut_file_is_one_sentence(copy, format, file):
    folder = copy(format)
    content = (folder / file).read_bytes()
    (folder / file).write_bytes(content[: len(content) // 2])
    refused(folder, file)
    (folder / file).unlink()
    if file != "bundle.json":
        refused(folder, file)


def test_a_class_that_a_bundle_names_is_checked(copy):
    folder = copy("weights")
    (folder / "network.json").write_text(json.dumps({"class_path": "evil.Net", "init_args": {}}))
    refused(folder, "--allow evil.Net")


def test_precisions_that_a_runtime_does_not_compute_are_refused(exports):
    with pytest.raises(MisuseError, match="ONNX Runtime computes in 32-true"):
        open_networks([exports / "onnx"], precision="bf16-mixed")
    with pytest.raises(MisuseError, match="runs on the CPU"):
        open_networks([exports / "openvino"], device="cuda")
    with pytest.raises(MisuseError, match="cannot be averaged"):
        open_networks([exports / "onnx", exports / "0.ckpt"], device="cpu")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"classes": ("background", "nucleus")}, "nucleus"),
        ({"channels": 1}, "channels"),
        ({"resize": (32, 32)}, "resize"),
    ],
)
def test_networks_of_other_classes_or_images_are_not_averaged(changes, named):
    check_alike("a", make_spec(), "b", make_spec(window=(32, 32), overlap=0.25))
    with pytest.raises(MisuseError, match="a and b cannot be averaged") as error:
        check_alike("a", make_spec(), "b", make_spec(**changes))
    assert named in str(error.value)


def test_several_checkpoints_are_opened_with_the_spec_of_the_first(tmp_path):
    paths = [write_checkpoint(tmp_path / f"{n}.ckpt", make_spec(overlap=n / 4), level=n / 4) for n in (1, 2)]
    found = open_networks(paths, [THRESHOLD], device="cpu", precision="32-true")
    assert [member.net.weight.item() for member in found.members] == [0.25, 0.5]
    assert (found.spec.overlap, found.spec.precision, found.where) == (0.25, "32-true", "cpu")
    with pytest.raises(MisuseError, match="--ckpt_path"):
        open_networks([])


@pytest.mark.parametrize(("where", "batch"), [("cpu", 1), ("cuda:0", 16), ("cpu through onnx", 1)])
def test_an_engine_has_the_batch_of_its_device_and_the_windows_asked_for(where, batch):
    networks = Networks(make_spec(overlap=0.25), [LocalRuntime(2)], where)
    usual = make_engine(networks, networks.spec)
    assert (usual.spec, usual.batch) == (networks.spec, batch)
    chosen = make_engine(networks, networks.spec, window=32, overlap=0.0, batch_size=3)
    assert (chosen.spec.window, chosen.spec.overlap, chosen.batch) == ((32, 32), 0.0, 3)
    with pytest.raises(MisuseError, match="overlap"):
        make_engine(networks, networks.spec, overlap=1.0)
