"""Checks of exported networks before they are loaded: what could compute without end, or fill the memory."""

from collections.abc import Iterator
from math import prod
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from segapp.errors import MisuseError

BRANCHES = frozenset({"If", "Loop", "Scan", "SequenceMap", "TensorIterator"})
"""Operators that run an inner graph, some of them any number of times."""

LARGEST_CONSTANT = 2**28
"""Bytes of constants that are computed while a network is loaded, beside its weights."""

CONVERTED = 16
"""Bytes of constants that OpenVINO may compute from one byte of weights: int8 is made float32 in three steps."""


def import_library(name: str, extra: str) -> ModuleType:
    """Imported only when a bundle needs it; raises MisuseError that says how to get it."""
    try:
        return __import__(name)
    except ImportError as error:
        raise MisuseError(
            f"a bundle of format {extra} runs through {name}, which cannot be imported ({error}): pip install {name}."
        ) from error


def require_plain_graph(path: Path) -> None:
    """Raise MisuseError for a `.onnx` with graphs within its graph, with functions, or with weights in other files."""
    onnx = import_library("onnx", "onnx")
    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf's and onnx's own have no base class in common
        raise explain_damaged(path, error) from error
    found = {node.op_type for node in model.graph.node if node.op_type in BRANCHES or _has_graph(node)}
    require_known_end(path, found | {f"the function {one.name}" for one in model.functions})
    if any(one.external_data or one.data_location == one.EXTERNAL for one in _list_tensors(model.graph)):
        raise MisuseError(f"{path}: names other files for its weights; `segapp export` writes one. It was refused.")


def require_known_end(path: Path, found: set[str]) -> None:
    """Raise MisuseError where operators were found that can compute without end."""
    if found:
        raise MisuseError(
            f"{path}: its graph has {', '.join(sorted(found)[:5])}, which can compute without end; it was refused. "
            "A network of your own with branches or loops is exported with --format weights."
        )


def require_xml(path: Path) -> None:
    """Raise MisuseError for another format under an OpenVINO name: OpenVINO would read ONNX too."""
    with path.open("rb") as file:
        if not file.read(5).startswith((b"<?xml", b"<net")):
            raise MisuseError(f"{path}: not the XML of an OpenVINO network.")


def require_small_constants(path: Path, model: Any) -> None:
    """Raise MisuseError for an OpenVINO network whose constants, computed while it is compiled, are far larger than it.

    A constant is what depends on no image, or only on the sizes of images that the network knows by itself.
    """
    variable: set[str] = set()
    sized: set[str] = set()
    computed = 0
    for one in model.get_ordered_ops():
        kind, name = one.get_type_name(), one.get_name()
        sources = {value.get_source_output().get_node().get_name() for value in one.inputs()}
        if kind == "Parameter" or (sources & variable and kind != "ShapeOf"):
            variable.add(name)
        elif kind != "Constant":
            if kind == "ShapeOf" or sources & sized:
                sized.add(name)
            elif any(output.get_partial_shape().is_dynamic for output in one.outputs()):
                _refuse_constant(path, one, "of unknown size")
            computed += sum(_count_bytes(output) for output in one.outputs() if output.get_partial_shape().is_static)
            if computed > LARGEST_CONSTANT + CONVERTED * path.with_suffix(".bin").stat().st_size:
                _refuse_constant(path, one, f"of {computed:,} bytes")


def require_ends(path: Path, inputs: list[str], outputs: list[str]) -> None:
    """Raise MisuseError unless a network takes `images` and gives `logits`."""
    if inputs != ["images"] or outputs != ["logits"]:
        raise MisuseError(
            f"{path}: has inputs {', '.join(inputs) or '(none)'} and outputs {', '.join(outputs) or '(none)'}; "
            "a network of `segapp export` has the input images and the output logits."
        )


def explain_damaged(path: Path | str, error: Any) -> MisuseError:
    """Return the error for a file that a library cannot load."""
    return MisuseError(f"{path}: cannot be loaded, or is damaged ({' '.join(str(error).split())[:200]}).")


def _has_graph(node: Any) -> bool:
    return any(one.HasField("g") or one.graphs for one in node.attribute)


def _list_tensors(graph: Any) -> Iterator[Any]:
    """List every constant of a graph without graphs in it."""
    attributes = [one for node in graph.node for one in node.attribute]
    sparse = [
        *graph.sparse_initializer,
        *(part for one in attributes for part in (one.sparse_tensor, *one.sparse_tensors)),
    ]
    yield from graph.initializer
    yield from (part for one in attributes for part in (one.t, *one.tensors))
    yield from (part for one in sparse for part in (one.values, one.indices))


def _count_bytes(output: Any) -> int:
    return prod(output.get_partial_shape().to_shape()) * max(1, output.get_element_type().size)


def _refuse_constant(path: Path, operator: Any, size: str) -> NoReturn:
    raise MisuseError(
        f"{path}: {operator.get_type_name()} {operator.get_name()[:80]!r} would make constants {size} while the "
        "network is loaded; it was refused. A network of your own with such constants is exported with "
        "--format weights."
    )
