"""`segapp export`: a bundle computes what its checkpoint does, without torch, or is not written."""

import subprocess
import sys

import numpy as np
import pytest

from segapp.cli import main
from segapp.commands.export import export
from segapp.commands.predict import predict
from segapp.errors import MisuseError
from segapp.inference.engine import Engine
from segapp.inference.open import open_networks
from segapp.inference.readable_image import ArrayImage
from segapp.io import read_raw


@pytest.mark.parametrize("format", ["onnx", "openvino"])
@pytest.mark.slow
def test_predict_takes_a_bundle_and_never_imports_torch(exports, format):
    words = ["predict", "--ckpt_path", str(exports / format), "--images", str(exports / "images")]
    words += ["--output", str(exports / f"masks_{format}"), "--augment", "horizontal", "--min_object", "5"]
    code = f"import sys; from segapp.cli import main; rc = main({words!r}); print(rc, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 False", done.stdout + done.stderr
    again = exports / f"torch_{format}"
    assert (
        main([*words[:2], str(exports / "0.ckpt"), *words[3:6], str(again), *words[7:], "--precision", "32-true"]) == 0
    )
    masks = sorted((again / "mask").glob("*.png"))
    assert len(masks) == 4
    changed = [(read_raw(path) != read_raw(exports / f"masks_{format}" / "mask" / path.name)).mean() for path in masks]
    assert max(changed) < 0.01


@pytest.mark.slow
def test_choices_are_saved_and_an_ensemble_is_averaged(exports):
    both = [str(exports / "0.ckpt"), str(exports / "1.ckpt")]
    assert export(both, "weights", str(exports / "both"), augment=["rotations"], min_hole=["cell=9"]) == 0
    networks = open_networks([exports / "both"], device="cpu")
    assert len(networks.members) == 2
    assert networks.spec.symmetries == ("rotations",)
    assert networks.spec.min_hole == (0, 9)
    image = ArrayImage(np.random.default_rng(2).integers(0, 256, (50, 70, 3), dtype=np.uint8))
    bundled = Engine(networks.make_runtime(networks.spec), networks.spec).segment(image)
    apart = open_networks(both, device="cpu")
    assert (Engine(apart.make_runtime(networks.spec), networks.spec).segment(image) == bundled).all()
    folders = {"images": str(exports / "images"), "device": "cpu"}
    assert predict([str(exports / "both")], output=str(exports / "out1"), **folders) == 0
    assert predict(both, output=str(exports / "out2"), augment=["rotations"], min_hole=["cell=9"], **folders) == 0
    for path in (exports / "out1" / "mask").glob("*.png"):
        assert (read_raw(path) == read_raw(exports / "out2" / "mask" / path.name)).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "weights", "dtype": "int8"}, "fp32 or fp16"),
        ({"format": "onnx", "dtype": "int8"}, "--images"),
        ({"format": "onnx", "images": "nowhere"}, "no folder nowhere"),
        ({"format": "onnx", "min_object": ["cat=3"]}, "background, cell"),
        ({"format": "onnx", "augment": ["none", "horizontal"]}, "--augment none"),
    ],
    ids=str,
)
def test_what_cannot_be_exported_is_reported(exports, tmp_path, options, message):
    with pytest.raises(MisuseError) as told:
        export(str(exports / "0.ckpt"), output=str(tmp_path / "new"), **options)
    assert message in str(told.value)
