"""ONNX graphs by hand."""

from pathlib import Path

import onnx
from onnx import TensorProto, helper

IMAGES = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, "h", "w"])
LOGITS = helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)


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
