"""`segapp export`: a bundle computes what its checkpoint does, without torch, or is not written."""

import json
import shutil
import subprocess
import sys
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from segapp.checkpoints.bundle import read_bundle
from segapp.cli import main
from segapp.commands.export import export
from segapp.commands.predict import predict
from segapp.errors import MisuseError, SegappError
from segapp.export import quantise as quantising
from segapp.export import verify as verifying
from segapp.export import write as writing
from segapp.inference.engine import ArrayImage, Engine
from segapp.inference.open import open_networks
from segapp.inference.runtime import TorchRuntime
from segapp.io import read_raw, write_image
from segapp.models import PlainEncoder, UNet
from tests.inference.checkpoints import make_spec, record

NET = {
    "class_path": "segapp.models.UNet",
    "init_args": {
        "encoder": {"class_path": "segapp.models.PlainEncoder", "init_args": {"widths": [4, 8, 8]}},
        "upsample": "transpose",
        "in_channels": 3,
        "num_classes": 2,
    },
}

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's exporter and onnxscript


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with two checkpoints, as two folds would leave, four images, and a bundle of each format."""
    place = tmp_path_factory.mktemp("export")
    for seed in (0, 1):
        checkpoint(place / f"{seed}.ckpt", seed)
    random = np.random.default_rng(0)
    for index in range(4):
        pixels = random.integers(0, 256, (70, 90, 3), dtype=np.uint8)
        write_image(place / "images" / f"{index}.png", pixels)
    for format in ("onnx", "openvino", "weights"):
        assert export(str(place / "0.ckpt"), format, str(place / format), images=str(place / "images")) == 0
    return place


def checkpoint(path, seed=0, spec=None):
    torch.manual_seed(seed)
    net = UNet(3, 2, partial(PlainEncoder, widths=[4, 8, 8]), upsample="transpose")
    weights = {f"net.{name}": value for name, value in net.state_dict().items()}
    torch.save({"state_dict": weights, "segapp": record(spec or make_spec(), net=NET)}, path)


@pytest.mark.parametrize("format", ["onnx", "openvino", "weights"])
def test_a_bundle_gives_the_checkpoints_logits_for_any_batch_and_size(place, format):
    reference = open_networks([place / "0.ckpt"], device="cpu").members[0]
    bundle = open_networks([place / format], device="auto" if format == "weights" else "cpu", precision="32-true")
    for shape in ((1, 3, 64, 64), (3, 3, 33, 70)):
        images = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
        found = bundle.members[0].to_numpy(bundle.members[0](images))
        assert found.dtype == np.float32
        assert np.allclose(found, reference(images).numpy(), atol=1e-4)
    verdict = json.loads((place / format / "verification.json").read_text())
    assert verdict["given"]
    assert verdict["images"] == 4
    assert all(check["passed"] for check in verdict["checks"])
    assert read_bundle(place / format).spec == make_spec()
    assert not read_bundle(place / format).window_statistics


def test_a_bundle_holds_no_path_of_this_machine(place):
    for path in (*place.glob("onnx/*"), *place.glob("openvino/*"), *place.glob("weights/*")):
        content = path.read_bytes()
        assert b".py" not in content, path
        assert str(place).encode() not in content, path
        assert path.stat().st_mode & 0o044, path


@pytest.mark.parametrize("format", ["onnx", "openvino"])
def test_predict_takes_a_bundle_and_never_imports_torch(place, format):
    words = ["predict", "--ckpt_path", str(place / format), "--images", str(place / "images")]
    words += ["--output", str(place / f"masks_{format}"), "--augment", "horizontal", "--min_object", "5"]
    code = f"import sys; from segapp.cli import main; rc = main({words!r}); print(rc, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 False", done.stdout + done.stderr
    again = place / f"torch_{format}"
    assert main([*words[:2], str(place / "0.ckpt"), *words[3:6], str(again), *words[7:], "--precision", "32-true"]) == 0
    masks = sorted((again / "mask").glob("*.png"))
    assert len(masks) == 4
    changed = [(read_raw(path) != read_raw(place / f"masks_{format}" / "mask" / path.name)).mean() for path in masks]
    assert max(changed) < 0.01


@pytest.mark.slow
def test_choices_are_saved_and_an_ensemble_is_averaged(place):
    both = [str(place / "0.ckpt"), str(place / "1.ckpt")]
    assert export(both, "weights", str(place / "both"), augment=["rotations"], min_hole=["cell=9"]) == 0
    networks = open_networks([place / "both"], device="cpu")
    assert len(networks.members) == 2
    assert networks.spec.symmetries == ("rotations",)
    assert networks.spec.min_hole == (0, 9)
    image = ArrayImage(np.random.default_rng(2).integers(0, 256, (50, 70, 3), dtype=np.uint8))
    bundled = Engine(networks.runtime(networks.spec), networks.spec).segment(image)
    apart = open_networks(both, device="cpu")
    assert (Engine(apart.runtime(networks.spec), networks.spec).segment(image) == bundled).all()
    folders = {"images": str(place / "images"), "device": "cpu"}
    assert predict([str(place / "both")], output=str(place / "out1"), **folders) == 0
    assert predict(both, output=str(place / "out2"), augment=["rotations"], min_hole=["cell=9"], **folders) == 0
    for path in (place / "out1" / "mask").glob("*.png"):
        assert (read_raw(path) == read_raw(place / "out2" / "mask" / path.name)).all()


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "openvino", "weights"])
def test_half_precision_takes_half_the_space(place, format, tmp_path):
    assert export(str(place / "0.ckpt"), format, str(tmp_path / "half"), dtype="fp16") == 0
    weights = {"onnx": "network.onnx", "openvino": "network.bin", "weights": "network.safetensors"}[format]
    size = (tmp_path / "half" / weights).stat().st_size
    assert size < (0.9 if format == "onnx" else 0.7) * (place / format / weights).stat().st_size  # a graph stays one
    assert not json.loads((tmp_path / "half" / "verification.json").read_text())["given"]


@pytest.mark.slow
def test_a_network_that_differs_is_not_written(place, tmp_path, monkeypatch):
    def wrong(net, spec, path):
        to_onnx(open_networks([place / "1.ckpt"], device="cpu").members[0].net, spec, path)

    to_onnx = writing.convert_to_onnx
    monkeypatch.setattr(writing, "convert_to_onnx", wrong)
    with pytest.raises(SegappError, match=r"not the same .*max \|Δlogit\|.*nothing was written"):
        export(str(place / "0.ckpt"), "onnx", str(tmp_path / "wrong"))
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten_and_interruptions_leave_nothing(place, tmp_path, monkeypatch):
    with pytest.raises(MisuseError, match="exists already"):
        export(str(place / "0.ckpt"), "weights", str(place / "images"))

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(writing, "compare", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export(str(place / "0.ckpt"), "weights", str(tmp_path / "new"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "weights", "dtype": "int8"}, "fp32 | fp16"),
        ({"format": "onnx", "dtype": "int8"}, "--images"),
        ({"format": "onnx", "images": "nowhere"}, "no folder nowhere"),
        ({"format": "onnx", "min_object": ["cat=3"]}, "background, cell"),
        ({"format": "onnx", "augment": ["none", "horizontal"]}, "switches it off"),
    ],
    ids=str,
)
def test_what_cannot_be_exported_is_said(place, tmp_path, options, message):
    with pytest.raises(MisuseError) as told:
        export(str(place / "0.ckpt"), output=str(tmp_path / "new"), **options)
    assert message in str(told.value)


@pytest.fixture
def copy(place, tmp_path):
    def copy(format):
        shutil.copytree(place / format, tmp_path / "bundle")
        return tmp_path / "bundle"

    return copy


def refused(folder, message):
    with pytest.raises(MisuseError) as told:
        open_networks([folder], device="cpu")
    assert message in str(told.value)


@pytest.mark.parametrize("name", ["../network.onnx", "/etc/network.onnx", "a/network.onnx", "..", "", 3, "network.xml"])
def test_a_name_inside_a_bundle_cannot_leave_it(copy, name):
    folder = copy("onnx")
    content = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps(content | {"networks": [name]}))
    refused(folder, "not a plain file name")


def test_links_and_outside_weights_are_refused(copy, tmp_path):
    folder = copy("onnx")
    (folder / "network.onnx").rename(tmp_path / "elsewhere.onnx")
    (folder / "network.onnx").symlink_to(tmp_path / "elsewhere.onnx")
    refused(folder, "leads out of the bundle")
    (folder / "network.onnx").unlink()
    model = onnx.load(tmp_path / "elsewhere.onnx")
    weight = max(model.graph.initializer, key=lambda part: len(part.raw_data))
    (tmp_path / "secret").write_bytes(weight.raw_data)
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="../secret")
    (folder / "network.onnx").write_bytes(model.SerializeToString())
    refused(folder, "cannot be loaded, or is damaged")


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


def test_a_program_of_torch_is_written_but_not_loaded(place, tmp_path):
    assert export(str(place / "0.ckpt"), "pt2", str(tmp_path / "program")) == 0
    assert (tmp_path / "program" / "network.pt2").is_file()
    with zipfile.ZipFile(tmp_path / "program" / "network.pt2") as archive:
        held = b"".join(archive.read(name) for name in archive.namelist())
    for folder in (Path(torch.__file__).parents[1], Path(__file__).parents[2], tmp_path):
        assert str(folder).encode() not in held
    refused(tmp_path / "program", "unpickle")


def test_precisions_that_a_runtime_does_not_compute_are_refused(place):
    with pytest.raises(MisuseError, match="ONNX Runtime computes in 32-true"):
        open_networks([place / "onnx"], precision="bf16-mixed")
    with pytest.raises(MisuseError, match="runs on the CPU"):
        open_networks([place / "openvino"], device="cuda")
    with pytest.raises(MisuseError, match="cannot be averaged"):
        open_networks([place / "onnx", place / "0.ckpt"], device="cpu")


def test_float_images_are_refused_by_a_network_of_uint8(place):
    with pytest.raises(MisuseError, match="takes uint8 images, got float32"):
        open_networks([place / "onnx"]).members[0](np.zeros((1, 3, 64, 64), np.float32))


@pytest.mark.slow
def test_calibration_and_verification_show_how_far_they_are(place, tmp_path, monkeypatch):
    bars = []

    def shown(items, desc, **_):
        bars.append((desc, len(items)))
        return items

    monkeypatch.setattr(quantising, "tqdm", shown)
    monkeypatch.setattr(verifying, "tqdm", shown)
    given = {"dtype": "int8", "images": str(place / "images"), "max_changed": 0.2}
    assert export(str(place / "0.ckpt"), "onnx", str(tmp_path / "int8"), **given) == 0
    assert bars == [("calibrating", 2), ("verifying in 32-true", 2)]


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "openvino"])
def test_int8_is_close_and_smaller(place, format, tmp_path):
    given = {"dtype": "int8", "images": str(place / "images"), "max_changed": 0.2}
    assert export(str(place / "0.ckpt"), format, str(tmp_path / "int8"), **given) == 0
    found = open_networks([tmp_path / "int8"], precision="32-true")
    reference = TorchRuntime(open_networks([place / "0.ckpt"], device="cpu").members[0].net)
    images = np.random.default_rng(1).integers(0, 256, (1, 3, 64, 64), dtype=np.uint8)
    logits = reference(images).numpy()
    difference = np.abs(found.members[0](images) - logits).max()
    assert 1e-5 < difference < 0.3 * np.abs(logits).max()


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "openvino"])
def test_in_int8_a_join_leaves_each_side_its_own_scale(place, tmp_path, format):
    """One scale for an encoder's features and a decoder's, a thousandth of them, left nothing of the decoder's."""
    record = torch.load(place / "0.ckpt", weights_only=True)
    weights = record["state_dict"]
    weights["net.encoder.0.0.1.conv.weight"] *= 1000  # the norms that read it divide by as much: the same network
    weights["net.encoder.1.0.0.norm.running_var"] *= 1e6
    weights["net.decoder.0.block.0.0.norm.running_var"][4:] *= 1e6
    torch.save(record, tmp_path / "uneven.ckpt")
    given = {"dtype": "int8", "images": str(place / "images"), "max_delta": 0.4, "max_changed": 0.2}
    assert export(str(place / "0.ckpt"), format, str(tmp_path / "even"), **given) == 0
    assert export(str(tmp_path / "uneven.ckpt"), format, str(tmp_path / "uneven"), **given) == 0


@pytest.mark.slow
def test_openvino_computes_int8_as_nearly_as_onnx_runtime(place, tmp_path):
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
        given = {"dtype": "int8", "images": str(place / "images"), "max_delta": 9.0, "max_changed": 1.0}
        assert export(str(tmp_path / "seen.ckpt"), format, str(tmp_path / format), **given) == 0
        found = open_networks([tmp_path / format], precision="32-true").members[0]
        errors[format] = np.abs(found.to_numpy(found(images)) - logits).mean()
    assert 0 < errors["openvino"] < 2 * errors["onnx"]
