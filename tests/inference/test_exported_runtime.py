"""Exported networks without torch; what could compute without end is refused, and Ctrl-C ends the rest."""

import signal
import time
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import openvino
import pytest
import torch
from onnx import TensorProto, helper
from openvino import opset13

from segapp.errors import MisuseError
from segapp.inference import exported_runtime
from segapp.inference.exported_runtime import (
    NumpyRuntime,
    OnnxRuntime,
    OpenVinoRuntime,
    choose_onnx_precision,
    choose_openvino_precision,
)
from segapp.inference.open import open_networks

IMAGES = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, "h", "w"])
LOGITS = helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)


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
    monkeypatch.setattr(exported_runtime, "_import_library", lambda *_: library)
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


def write(path: Path, nodes: list[onnx.NodeProto], constants: tuple[onnx.TensorProto, ...] = (), **options) -> Path:
    graph = helper.make_graph(nodes, "graph", [IMAGES], [LOGITS], initializer=constants)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8, **options).SerializeToString())
    return path


def write_loop(path: Path) -> Path:
    """Write a network that adds its images to themselves 2^62 times."""
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Add", ["x", "x"], ["y"])],
        "body",
        [info("i", TensorProto.INT64, []), info("go", TensorProto.BOOL, []), info("x", TensorProto.FLOAT, None)],
        [info("on", TensorProto.BOOL, []), info("y", TensorProto.FLOAT, None)],
    )
    count = helper.make_tensor("n", TensorProto.INT64, (), [2**62])
    go = helper.make_tensor("t", TensorProto.BOOL, (), [True])
    return write(path, [helper.make_node("Loop", ["n", "t", "images"], ["logits"], body=body)], (count, go))


def test_loops_are_refused(tmp_path: Path) -> None:
    source = write_loop(tmp_path / "network.onnx")
    with pytest.raises(MisuseError, match=r"network\.onnx: .*Loop"):
        OnnxRuntime(source)
    openvino.save_model(openvino.Core().read_model(source), tmp_path / "network.xml")
    with pytest.raises(MisuseError, match=r"network\.xml: .*Loop"):
        OpenVinoRuntime(tmp_path / "network.xml")


def test_functions_are_refused(tmp_path: Path) -> None:
    """Ten that call the one before ten times each stand for ten billion operators."""
    twice = [helper.make_node("Add", ["x", "x"], ["y"])]
    function = helper.make_function("own", "Twice", ["x"], ["y"], twice, [helper.make_opsetid("", 17)])
    path = write(
        tmp_path / "network.onnx",
        [helper.make_node("Twice", ["images"], ["logits"], domain="own")],
        functions=[function],
    )
    with pytest.raises(MisuseError, match=r"network\.onnx: .*function Twice"):
        OnnxRuntime(path)


def test_large_constants_are_not_computed_while_loading(tmp_path: Path) -> None:
    """Two numbers that stand for 8 TB."""
    nodes = [
        helper.make_node("ConstantOfShape", ["size"], ["zeros"]),
        helper.make_node("ReduceMax", ["zeros"], ["zero"], keepdims=0),
        helper.make_node("Add", ["images", "zero"], ["logits"]),
    ]
    size = helper.make_tensor("size", TensorProto.INT64, (1,), [2**41])
    OnnxRuntime(write(tmp_path / "network.onnx", nodes, (size,)))


def save_openvino(path: Path, make_constant) -> Path:
    """Write an OpenVINO network that adds a constant, computed from others, to its images."""
    images = opset13.parameter([-1, 3, -1, -1], np.float32, name="images")
    images.output(0).tensor.set_names({"images"})
    logits = opset13.add(images, make_constant(images))
    logits.output(0).tensor.set_names({"logits"})
    openvino.save_model(openvino.Model([opset13.result(logits)], [images], "network"), path, compress_to_fp16=False)
    return path


def total(values):
    return opset13.reduce_sum(values, opset13.constant(np.array([0])), False)


def number(value, dtype=np.int64):
    return opset13.constant(np.array(value, dtype))


def any_number(largest):
    return opset13.random_uniform(number([1]), number(0), number(largest), "i64", 1, 1)


def channels(images):
    """Return the number of channels of images, which the network knows, as a list of one."""
    return opset13.gather(opset13.shape_of(images), number([1]), number(0))


@pytest.mark.parametrize(
    "make",
    [
        lambda _: total(opset13.broadcast(number(1, np.float32), number([2**40]))),
        lambda _: total(opset13.tile(number([1], np.float32), number([2**40]))),
        lambda _: total(opset13.range(number(0, np.float32), number(2**31, np.float32), number(1, np.float32), "f32")),
        lambda x: total(opset13.broadcast(number(1, np.float32), opset13.multiply(channels(x), number([2**40])))),
        lambda _: total(opset13.broadcast(number(1, np.float32), any_number(2**40))),
    ],
    ids=["broadcast", "tile", "range", "size", "unknown"],
)
def test_large_constants_of_openvino_are_refused(tmp_path: Path, make) -> None:
    path = save_openvino(tmp_path / "network.xml", make)
    with pytest.raises(MisuseError, match=r"network\.xml: .*constants of .*--format weights"):
        OpenVinoRuntime(path)


def test_small_constants_of_openvino_are_computed(tmp_path: Path) -> None:
    def make(images):
        return total(opset13.broadcast(number(1, np.float32), opset13.multiply(channels(images), number([2]))))

    images = np.ones((1, 3, 8, 8), np.float32)
    assert OpenVinoRuntime(save_openvino(tmp_path / "network.xml", make))(images) == pytest.approx(images + 6)


def test_another_format_under_the_name_of_a_network_is_refused(tmp_path: Path) -> None:
    """OpenVINO reads ONNX too, and so would pass by the checks of one."""
    write_loop(tmp_path / "network.xml")
    (tmp_path / "network.bin").touch()
    with pytest.raises(MisuseError, match="not the XML"):
        OpenVinoRuntime(tmp_path / "network.xml")


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
