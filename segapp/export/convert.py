"""Convert one network to the files of a format, with its normalisation inside and for any batch and size."""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save
from torch import Tensor, nn

from segapp.errors import SegappError
from segapp.spec import Spec

EXAMPLE = (2, 128, 192)  # batch, height, width to trace with: all different, and divisible by every encoder's stride
MAX_BYTES = 2**31 - 2**20  # a protobuf, and so a self-contained .onnx, holds less than 2 GiB
MIN_HALF_SIZE = 64  # constants of fewer numbers stay float32: shapes, scales, the normalisation


def convert_to_onnx(net: nn.Module, spec: Spec, path: Path) -> None:
    """Write `images` (N, C, H, W) in the spec's dtype → `logits` (N, K, H, W) float32, opset 20, in one file.

    Raises SegappError for a network that torch cannot trace for every size.
    """
    if sum(part.numel() * part.element_size() for part in net.state_dict().values()) > MAX_BYTES:
        raise SegappError("the network is too large for ONNX, whose files hold less than 2 GiB; use --format weights.")
    with _explain_errors("ONNX"):
        torch.onnx.export(
            net,
            (_make_example(spec),),
            path,
            input_names=["images"],
            output_names=["logits"],
            dynamic_shapes=_describe_sizes(),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    model = onnx.load(path)
    _remove_paths(model)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _remove_paths(model: onnx.ModelProto) -> None:
    """Remove the metadata of torch's tracing: they contain this machine's paths and source lines."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")


def store_half(path: Path) -> None:
    """Store the float32 weights of a `.onnx` as float16, in place; they are cast back to float32 when computed with."""
    model = onnx.load(path)
    graph = model.graph
    casts = []
    for weight in graph.initializer:
        values = numpy_helper.to_array(weight)
        if weight.data_type != TensorProto.FLOAT or values.size < MIN_HALF_SIZE:
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(values.astype("float16"), f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    for cast in reversed(casts):
        graph.node.insert(0, cast)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def convert_to_openvino(source: Path, path: Path, half: bool) -> None:
    """Write an `.onnx` as OpenVINO's `.xml` and `.bin`; `half` stores its weights as float16.

    OpenVINO reads the file itself: its converter for Python models, which can report its use, is not called.
    """
    import openvino  # here, as the other formats do not need it

    openvino.save_model(openvino.Core().read_model(source), path, compress_to_fp16=half)


def save_weights(net: nn.Module, config: dict[str, Any], path: Path, half: bool) -> None:
    """Write the weights as `.safetensors`, and beside them the class_path and init_args that they belong to."""
    weights = {
        name: (value.half() if half and value.dtype == torch.float32 and value.numel() >= MIN_HALF_SIZE else value)
        for name, value in net.state_dict().items()
    }
    path.write_bytes(
        save({name: value.contiguous() for name, value in weights.items()})
    )  # save_file makes private files
    path.with_suffix(".json").write_text(json.dumps(config, indent=1), encoding="utf-8")


def export_program(net: nn.Module, spec: Spec) -> torch.export.ExportedProgram:
    """Export the network as a program of `torch.export`, for any batch and size, without paths of this machine."""
    with _explain_errors("torch.export"):
        program = torch.export.export(net, (_make_example(spec),), dynamic_shapes=_describe_sizes(), strict=False)
    for module in program.graph_module.modules():
        for node in module.graph.nodes if isinstance(module, torch.fx.GraphModule) else ():
            node.meta.pop("stack_trace", None)  # the files and lines of the source, and the folder they lie in
    return program


def _make_example(spec: Spec) -> Tensor:
    dtype = torch.uint8 if spec.intensity.dtype == "uint8" else torch.float32
    batch, height, width = EXAMPLE
    return torch.zeros(batch, spec.channels, height, width, dtype=dtype)


def _describe_sizes() -> tuple[dict[int, Any]]:
    free = torch.export.Dim.DYNAMIC
    return ({0: free, 2: free, 3: free},)


@contextmanager
def _explain_errors(target: str) -> Iterator[None]:
    """Silence torch's messages to its developers, and turn an error into one message."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    except Exception as error:  # any error of torch's tracing is caused by this network
        cause = error.__cause__ or error
        raise SegappError(
            f"this network cannot be exported to {target} for images of any size "
            f"({type(cause).__name__}: {' '.join(str(cause).split())[:300]}); --format weights works for any network."
        ) from error
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
