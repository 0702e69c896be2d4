"""Write one or several networks as a bundle: converted, verified, and only then moved to its folder."""

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from segapp import __version__
from segapp.checkpoints.bundle import MANIFEST, SPEC, VERIFICATION, Dtype, Format, make_manifest, name_networks
from segapp.checkpoints.bundle_weights import load_weights
from segapp.errors import MisuseError, SegappError
from segapp.export.convert import convert_to_onnx, convert_to_openvino, export_program, save_weights, store_half
from segapp.export.quantise import quantise
from segapp.export.sample_images import read_windows
from segapp.export.verify import TOLERANCES, Check, Tolerance, compare_runtimes
from segapp.inference.exported_runtime import OnnxRuntime, OpenVinoRuntime, choose_openvino_precision
from segapp.inference.readable_image import ArrayImage
from segapp.inference.runtime import Runtime, TorchRuntime, has_window_statistics
from segapp.io import write_folder_atomically
from segapp.spec import Precision, Spec


@dataclass(frozen=True)
class TrainedNetwork:
    """A network of a checkpoint, with its class and arguments, and its temperature."""

    net: nn.Module
    config: dict[str, Any]  # class_path and init_args
    temperature: float = 1.0


@dataclass(frozen=True)
class ExportRequest:
    """The format of an export, the images to verify and calibrate on, and the tolerances."""

    format: Format
    dtype: Dtype
    verify: Sequence[ArrayImage]
    calibrate: Sequence[ArrayImage]
    user_images: bool  # whether the images are the user's
    max_delta: float | None
    max_changed: float | None
    allowed: Sequence[str]

    def __post_init__(self) -> None:
        offered = {"weights": ("fp32", "fp16"), "pt2": ("fp32",)}.get(self.format, ("fp32", "fp16", "int8"))
        if self.dtype not in offered:
            raise MisuseError(f"--format {self.format} needs --dtype {' or '.join(offered)}, got {self.dtype}.")
        if self.dtype == "int8" and not self.calibrate:
            raise MisuseError(
                "--dtype int8 needs images for calibration: add --images FOLDER, with images like those to predict."
            )

    def get_tolerance(self, precision: Precision) -> Tolerance:
        """Return the user's tolerance, or that of the coarser of storage and arithmetic."""
        computed = {"32-true": "fp32", "16-mixed": "fp16", "bf16-mixed": "bf16"}[precision]
        usual = TOLERANCES[max(self.dtype, computed, key=list(TOLERANCES).index)]
        return Tolerance(
            usual.delta if self.max_delta is None else self.max_delta,
            usual.changed if self.max_changed is None else self.max_changed,
        )


def write_bundle(
    networks: Sequence[TrainedNetwork], spec: Spec, request: ExportRequest, output: Path, report: Callable[[str], None]
) -> list[Check]:
    """Write the bundle, and return the checks that it passed.

    Raises SegappError, and writes nothing, when a network cannot be converted or differs afterwards.
    """
    with write_folder_atomically(output) as folder:
        checks: list[Check] = []
        for number, (network, name) in enumerate(
            zip(networks, name_networks(request.format, len(networks)), strict=True)
        ):
            report(f"network {number + 1} of {len(networks)}: converting to {request.format}, {request.dtype}")
            path = folder / name
            exported = _convert(network, spec, request, path)
            report(f"network {number + 1} of {len(networks)}: verifying on {_describe_images(request)}")
            for precision, runtime in exported():
                computed = replace(spec, precision=precision)
                check = compare_runtimes(
                    TorchRuntime(network.net), runtime, computed, request.verify, request.get_tolerance(precision)
                )
                report(f"  {check}")
                checks.append(check)
        verification = {
            "images": len(request.verify),
            "given": request.user_images,
            "checks": [check.to_dict() for check in checks],
        }
        failed = [check for check in checks if not check.passed]
        if failed:
            raise SegappError(
                f"the exported network differs too much from the checkpoint's {failed[0]}; nothing was written. "
                "Try another --dtype or --format, images like yours with --images, or allow more with --max_delta "
                "and --max_changed."
            )
        _write_json(folder / VERIFICATION, verification)
        _write_json(folder / SPEC, spec.to_dict())
        _write_json(folder / MANIFEST, _make_manifest(networks, request))
    return checks


def _make_manifest(networks: Sequence[TrainedNetwork], request: ExportRequest) -> dict[str, Any]:
    statistics = any(has_window_statistics(network.net) for network in networks)
    temperatures = [network.temperature for network in networks]
    return make_manifest(request.format, request.dtype, temperatures, __version__, statistics)


Opened = Callable[[], list[tuple[Precision, Runtime]]]
"""Opens the exported network, once for each precision that it will be computed in."""


def _convert(network: TrainedNetwork, spec: Spec, request: ExportRequest, path: Path) -> Opened:
    """Write the files of one network, and return a function that opens them."""
    half = request.dtype == "fp16"
    if request.format == "weights":
        save_weights(network.net, network.config, path, half)
        return lambda: [("32-true", TorchRuntime(load_weights(path, request.allowed)))]
    if request.format == "pt2":
        program = export_program(network.net, spec)
        torch.export.save(program, path)
        return lambda: [("32-true", TorchRuntime(program.module()))]
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        graph = path if request.format == "onnx" and request.dtype != "int8" else Path(scratch) / "network.onnx"
        convert_to_onnx(network.net, spec, graph)
        if request.dtype == "int8":
            target = path if request.format == "onnx" else Path(scratch) / "int8.onnx"
            quantise(
                graph,
                target,
                read_windows(request.calibrate, spec),
                Path(scratch),
                symmetric=request.format == "openvino",
            )
            graph = target
        if request.format == "openvino":
            convert_to_openvino(graph, path, half)
        elif half:
            store_half(graph)
    if request.format == "onnx":
        return lambda: [("32-true", OnnxRuntime(path))]
    chosen: list[Precision] = ["32-true", choose_openvino_precision(None, spec.precision)]
    return lambda: [(precision, OpenVinoRuntime(path, precision)) for precision in dict.fromkeys(chosen)]


def _describe_images(request: ExportRequest) -> str:
    return f"{len(request.verify)} {'images of yours' if request.user_images else 'generated images'}"


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
