"""One or several networks become a bundle: converted, verified, and only then put in place."""

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from segapp import __version__
from segapp.checkpoints.bundle import MANIFEST, SPEC, VERIFICATION, Dtype, Format, make_manifest, names
from segapp.checkpoints.checkpoint import load_weights
from segapp.errors import MisuseError, SegappError
from segapp.export.convert import convert_to_onnx, convert_to_openvino, export_program, save_weights, store_half
from segapp.export.quantise import quantise
from segapp.export.sample_images import read_windows
from segapp.export.verify import TOLERANCES, Check, Tolerance, compare
from segapp.inference.exported_runtime import OnnxRuntime, OpenVinoRuntime, choose_openvino_precision
from segapp.inference.readable_image import ArrayImage
from segapp.inference.runtime import Runtime, TorchRuntime, has_window_statistics
from segapp.io import write_folder_atomically
from segapp.spec import Precision, Spec


@dataclass(frozen=True)
class Trained:
    """A network of a checkpoint."""

    net: nn.Module
    config: dict[str, Any]  # class_path and init_args


@dataclass(frozen=True)
class Order:
    """What is to be written."""

    format: Format
    dtype: Dtype
    verify: Sequence[ArrayImage]
    calibrate: Sequence[ArrayImage]
    given: bool  # the images are the user's
    max_delta: float | None
    max_changed: float | None
    allowed: Sequence[str]

    def __post_init__(self) -> None:
        offered = {"weights": ("fp32", "fp16"), "pt2": ("fp32",)}.get(self.format, ("fp32", "fp16", "int8"))
        if self.dtype not in offered:
            raise MisuseError(f"format {self.format} takes dtype {' | '.join(offered)}, got {self.dtype}.")
        if self.dtype == "int8" and not self.calibrate:
            raise MisuseError("dtype int8 needs images to calibrate on: give --images FOLDER, images like yours.")

    def tolerance(self, precision: Precision) -> Tolerance:
        """Return the tolerance of the precision.

        That of the coarser of storage and arithmetic, unless one was asked for.
        """
        computed = {"32-true": "fp32", "16-mixed": "fp16", "bf16-mixed": "bf16"}[precision]
        usual = TOLERANCES[max(self.dtype, computed, key=list(TOLERANCES).index)]
        return Tolerance(
            usual.delta if self.max_delta is None else self.max_delta,
            usual.changed if self.max_changed is None else self.max_changed,
        )


def write_bundle(
    networks: Sequence[Trained], spec: Spec, order: Order, output: Path, say: Callable[[str], None]
) -> list[Check]:
    """Write the bundle; returns how it was verified.

    Raises SegappError, leaving nothing behind, when a network cannot be converted or is not the same afterwards.
    """
    with write_folder_atomically(output) as folder:
        checks: list[Check] = []
        for number, (network, name) in enumerate(zip(networks, names(order.format, len(networks)), strict=True)):
            say(f"network {number + 1} of {len(networks)}: converting to {order.format}, {order.dtype}")
            path = folder / name
            exported = _convert(network, spec, order, path)
            say(f"network {number + 1} of {len(networks)}: verifying on {_describe_images(order)}")
            for precision, runtime in exported():
                computed = replace(spec, precision=precision)
                check = compare(TorchRuntime(network.net), runtime, computed, order.verify, order.tolerance(precision))
                say(f"  {check}")
                checks.append(check)
        verification = {
            "images": len(order.verify),
            "given": order.given,
            "checks": [check.to_dict() for check in checks],
        }
        failed = [check for check in checks if not check.passed]
        if failed:
            raise SegappError(
                f"the exported network is not the same as the checkpoint's {failed[0]}; nothing was written. "
                "Try another --dtype or --format, images like yours with --images, or allow more with --max_delta "
                "and --max_changed."
            )
        _write(folder / VERIFICATION, verification)
        _write(folder / SPEC, spec.to_dict())
        _write(folder / MANIFEST, _make_manifest(networks, order))
    return checks


def _make_manifest(networks: Sequence[Trained], order: Order) -> dict[str, Any]:
    statistics = any(has_window_statistics(network.net) for network in networks)
    return make_manifest(order.format, order.dtype, len(networks), __version__, statistics)


Opened = Callable[[], list[tuple[Precision, Runtime]]]
"""Opens what was written, once per precision that it will be computed in."""


def _convert(network: Trained, spec: Spec, order: Order, path: Path) -> Opened:
    """Write the files of one network."""
    half = order.dtype == "fp16"
    if order.format == "weights":
        save_weights(network.net, network.config, path, half)
        return lambda: [("32-true", TorchRuntime(load_weights(path, order.allowed)))]
    if order.format == "pt2":
        program = export_program(network.net, spec)
        torch.export.save(program, path)
        return lambda: [("32-true", TorchRuntime(program.module()))]
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        graph = path if order.format == "onnx" and order.dtype != "int8" else Path(scratch) / "network.onnx"
        convert_to_onnx(network.net, spec, graph)
        if order.dtype == "int8":
            target = path if order.format == "onnx" else Path(scratch) / "int8.onnx"
            quantise(
                graph, target, read_windows(order.calibrate, spec), Path(scratch), symmetric=order.format == "openvino"
            )
            graph = target
        if order.format == "openvino":
            convert_to_openvino(graph, path, half)
        elif half:
            store_half(graph)
    if order.format == "onnx":
        return lambda: [("32-true", OnnxRuntime(path))]
    chosen: list[Precision] = ["32-true", choose_openvino_precision(None, spec.precision)]
    return lambda: [(precision, OpenVinoRuntime(path, precision)) for precision in dict.fromkeys(chosen)]


def _describe_images(order: Order) -> str:
    return f"{len(order.verify)} {'images of yours' if order.given else 'generated images'}"


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
