"""Exported networks without torch; what could compute without end is refused, and Ctrl-C ends the rest."""

import signal
import time
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper

from segapp.errors import MisuseError
from segapp.inference import exported_runtime
from segapp.inference.exported_runtime import (
    NumpyRuntime,
    OnnxRuntime,
    choose_onnx_precision,
    choose_openvino_precision,
)
from segapp.inference.open import open_networks
from tests.inference.graphs import write


def test_float_images_are_refused_by_a_network_of_uint8(exports):
    with pytest.raises(MisuseError, match="uint8 images, got float32"):
        open_networks([exports / "onnx"]).members[0](np.zeros((1, 3, 64, 64), np.float32))


def test_numpy_computes_what_torch_does():
    logits = np.random.default_rng(0).normal(0, 5, (2, 4, 6, 5)).astype(np.float32)
    logits[0, 2] = logits[0, 1]  # equal logits
    runtime, reference = NumpyRuntime(), torch.from_numpy(logits)
    assert runtime.compute_probabilities(logits) == pytest.approx(reference.softmax(1).numpy(), abs=1e-6)
    for one, expected in zip(logits, reference, strict=True):
        assert (runtime.compute_indices(one) == expected.argmax(0).numpy()).all()
        assert runtime.sum_confidence(one) == pytest.approx(expected.softmax(0).amax(0).sum().item(), rel=1e-6)
    assert runtime.compute_indices(logits[0]).dtype == np.uint8
    assert np.isfinite(runtime.log(np.array([0.0, 1.0], np.float32))).all()
    copied = runtime.array(logits)
    copied += 1
    assert not np.array_equal(copied, logits)


@pytest.mark.parametrize(
    ("abilities", "wanted", "saved", "chosen"),
    [
        (["FP32", "BF16"], None, "bf16-mixed", "bf16-mixed"),
        (["FP32"], None, "bf16-mixed", "32-true"),
        (["FP32", "BF16"], "32-true", "bf16-mixed", "32-true"),
        (["FP32", "FP16"], "16-mixed", "32-true", "16-mixed"),
        (["FP32"], "bf16-mixed", "32-true", None),
    ],
)
def test_openvino_computes_in_what_the_processor_has(monkeypatch, abilities, wanted, saved, chosen):
    library = SimpleNamespace(Core=lambda: SimpleNamespace(get_property=lambda *_: abilities))
    monkeypatch.setattr(exported_runtime, "import_library", lambda *_: library)
    if chosen is None:
        with pytest.raises(MisuseError, match="bf16-mixed"):
            choose_openvino_precision(wanted, saved)
    else:
        assert choose_openvino_precision(wanted, saved) == chosen


def test_onnx_runtime_computes_in_fp32_only():
    assert choose_onnx_precision(None) == choose_onnx_precision("32-true") == "32-true"
    with pytest.raises(MisuseError, match="--precision"):
        choose_onnx_precision("bf16-mixed")


def test_a_library_that_is_missing_is_named_with_its_package(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(MisuseError, match="pip install onnxruntime"):
        OnnxRuntime(tmp_path / "network.onnx")


@pytest.mark.parametrize(("variable", "threads"), [("", 6), ("2", 2), ("64", 6), ("0", 1), ("two", 6)])
def test_threads_are_the_usable_cores_or_fewer(monkeypatch, variable, threads):
    monkeypatch.setattr(exported_runtime, "count_usable_cores", lambda: 6)
    monkeypatch.setenv("OMP_NUM_THREADS", variable)
    assert exported_runtime._count_threads() == threads


def test_ctrl_c_ends_a_long_window(tmp_path: Path) -> None:
    names = ["images", *(f"x{index}" for index in range(200)), "logits"]
    nodes = [helper.make_node("Conv", [one, "weight"], [other], pads=[3, 3, 3, 3]) for one, other in pairwise(names)]
    weight = helper.make_tensor("weight", TensorProto.FLOAT, (3, 3, 7, 7), np.zeros(441, np.float32))
    runtime = OnnxRuntime(write(tmp_path / "network.onnx", nodes, (weight,)))
    usual = signal.signal(signal.SIGALRM, signal.default_int_handler)
    began = time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(KeyboardInterrupt):
            runtime(np.zeros((1, 3, 1024, 1024), np.float32))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, usual)
    assert time.monotonic() - began < 2
