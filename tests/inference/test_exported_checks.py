"""Exported networks that could compute without end, or fill the memory, are refused before they are loaded."""

from pathlib import Path

import numpy as np
import openvino
import pytest
from onnx import TensorProto, helper
from openvino import opset13

from segapp.errors import MisuseError
from segapp.inference.exported_runtime import OnnxRuntime, OpenVinoRuntime
from tests.inference.graphs import write, write_loop


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


@pytest.mark.parametrize("place", ["initializer", "Constant", "sparse"])
def test_weights_in_other_files_are_refused(tmp_path: Path, place: str) -> None:
    """Which files a library opens for them depends on its version."""
    weight = helper.make_tensor("weight", TensorProto.FLOAT, (1,), [1.0])
    if place == "sparse":
        index = helper.make_tensor("index", TensorProto.INT64, (1,), [0])
        constant = helper.make_node(
            "Constant", [], ["weight"], sparse_value=helper.make_sparse_tensor(weight, index, [1])
        )
        stored = constant.attribute[0].sparse_tensor.values
    else:
        constant = helper.make_node("Constant", [], ["weight"], value=weight)
        stored = weight if place == "initializer" else constant.attribute[0].t
    stored.ClearField("float_data")
    stored.data_location = TensorProto.EXTERNAL
    stored.external_data.add(key="location", value="network.bin")
    add = helper.make_node("Add", ["images", "weight"], ["logits"])
    nodes, initializers = ([add], (weight,)) if place == "initializer" else ([constant, add], ())
    with pytest.raises(MisuseError, match=r"network\.onnx: names other files"):
        OnnxRuntime(write(tmp_path / "network.onnx", nodes, initializers))


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
