"""Opens checkpoints and bundles for prediction: one network, or the networks of an ensemble."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from segapp.checkpoints.bundle import Bundle, is_bundle, read_bundle
from segapp.checkpoints.number_limits import read_temperature
from segapp.errors import MisuseError
from segapp.inference.engine import Engine
from segapp.inference.ensemble import average_networks
from segapp.inference.exported_runtime import (
    OnnxRuntime,
    OpenVinoRuntime,
    choose_onnx_precision,
    choose_openvino_precision,
)
from segapp.spec import Precision, Spec

if TYPE_CHECKING:
    from segapp.inference.runtime import Runtime

GPU_BATCH = 16
"""Windows computed at once on a GPU, which wants many; a CPU's caches hold one."""


class Networks(NamedTuple):
    """One network, or the networks of an ensemble, opened."""

    spec: Spec  # with the precision that is computed in
    members: list["Runtime"]
    where: str  # `cpu`, `cuda`, `cpu through openvino`

    def make_runtime(self, spec: Spec) -> "Runtime":
        """Return all members as one runtime, seeing each window in the views that `spec` asks for."""
        return average_networks(self.members, spec)


def open_networks(
    paths: Sequence[str | Path],
    allowed: Sequence[str] = (),
    device: str = "auto",
    precision: Precision | None = None,
) -> Networks:
    """Open checkpoints of `segapp fit` or bundles of `segapp export`, to be averaged where there are several.

    Torch is imported for checkpoints and for bundles of format `weights` only. Nothing is unpickled or downloaded.
    `precision` None is the saved one where the processor computes it natively, else 32-true. Raises MisuseError when
    the models do not belong together.
    """
    if not paths:
        raise MisuseError("--ckpt_path is missing: name a checkpoint of `segapp fit`, or a bundle of `segapp export`.")
    opened = [_open(path, allowed, device, precision) for path in paths]
    for path, other in zip(paths[1:], opened[1:], strict=True):
        check_alike(paths[0], opened[0].spec, path, other.spec)
        if ("through" in opened[0].where) != ("through" in other.where):
            raise MisuseError(
                f"{paths[0]} and {path} cannot be averaged: they run on {opened[0].where} and {other.where}; "
                "name checkpoints only, or bundles of format onnx or openvino only."
            )
    return Networks(opened[0].spec, [member for one in opened for member in one.members], opened[0].where)


def _open(path: str | Path, allowed: Sequence[str], device: str, precision: Precision | None) -> Networks:
    if not is_bundle(path):
        return _open_checkpoint(path, allowed, device, precision)
    bundle = read_bundle(path)
    if bundle.format == "weights":
        return _open_weights(bundle, allowed, device, precision)
    if device == "cuda":
        raise MisuseError(
            f"{path}: a bundle of format {bundle.format} runs on the CPU; leave --device out, or use the checkpoint."
        )
    if bundle.format == "onnx":
        chosen = choose_onnx_precision(precision)
        runtimes: list[Runtime] = [
            OnnxRuntime(network, bundle.window_statistics, temperature)
            for network, temperature in zip(bundle.networks, bundle.temperatures, strict=True)
        ]
    else:
        chosen = choose_openvino_precision(precision, bundle.spec.precision)
        runtimes = [
            OpenVinoRuntime(network, chosen, bundle.window_statistics, temperature)
            for network, temperature in zip(bundle.networks, bundle.temperatures, strict=True)
        ]
    return Networks(replace(bundle.spec, precision=chosen), runtimes, f"cpu through {bundle.format}")


def _open_checkpoint(path: str | Path, allowed: Sequence[str], device: str, precision: Precision | None) -> Networks:
    from segapp.checkpoints.checkpoint import load_checkpoint
    from segapp.inference.runtime import TorchRuntime, choose_device, choose_usable_precision, count_parallel_calls

    where = choose_device(device)
    spec, net, record = load_checkpoint(path, allowed)
    chosen = precision or choose_usable_precision(spec.precision, where)
    temperature = read_temperature(path, record.get("temperature"))
    runtime = TorchRuntime(net, where, chosen, parallel=count_parallel_calls(where), temperature=temperature)
    return Networks(replace(spec, precision=chosen), [runtime], str(where))


def _open_weights(bundle: Bundle, allowed: Sequence[str], device: str, precision: Precision | None) -> Networks:
    from segapp.checkpoints.bundle_weights import load_weights
    from segapp.inference.runtime import TorchRuntime, choose_device, choose_usable_precision, count_parallel_calls

    where = choose_device(device)
    chosen = precision or choose_usable_precision(bundle.spec.precision, where)
    runtimes: list[Runtime] = [
        TorchRuntime(
            load_weights(network, allowed),
            where,
            chosen,
            parallel=count_parallel_calls(where),
            temperature=temperature,
        )
        for network, temperature in zip(bundle.networks, bundle.temperatures, strict=True)
    ]
    return Networks(replace(bundle.spec, precision=chosen), runtimes, str(where))


def make_engine(
    networks: Networks,
    spec: Spec,
    window: int | None = None,
    overlap: float | None = None,
    batch_size: int | None = None,
    readers: int = 1,
) -> Engine:
    """Return the engine that predicts with the networks.

    Args:
        networks: What `open_networks` returned.
        spec: The networks' spec, with the options that differ.
        window: Side in pixels of the square windows; default: the spec's.
        overlap: Fraction of a window that its neighbour also sees; default: the spec's.
        batch_size: Windows computed at once; default: 1 on a CPU, 16 on a GPU.
        readers: Batches that are prefetched at once.

    Raises:
        MisuseError: The spec cannot have such windows.
    """
    spec = replace(
        spec,
        window=(window, window) if window is not None else spec.window,
        overlap=spec.overlap if overlap is None else overlap,
    )
    batch = batch_size or (GPU_BATCH if networks.where.startswith("cuda") else 1)
    return Engine(networks.make_runtime(spec), spec, batch, readers)


def check_alike(path: str | Path, spec: Spec, other_path: str | Path, other: Spec) -> None:
    """Raise MisuseError unless networks of both specs can be averaged: the same classes, the same images."""
    for name in ("classes", "channels", "intensity", "resize"):
        one, two = getattr(spec, name), getattr(other, name)
        if one != two:
            raise MisuseError(
                f"{path} and {other_path} cannot be averaged: their {name} differ "
                f"({_format_brief(one)}; {_format_brief(two)})."
            )


def _format_brief(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
