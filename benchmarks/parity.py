"""Compare every exported form of a network with its checkpoint, on your images.

    python benchmarks/parity.py --images data/camvid/val runs/camvid/<time>/checkpoints/best.ckpt …

Every second image of the folder is verified on (of these the first three), of the others at most 32
calibrate int8. Prints a line per form: the largest difference of a logit as a share of the largest logit, and the share
of the pixels whose class changes. The checkpoint computes in fp32, in its own windows.
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from segapp.checkpoints.bundle_weights import load_weights
from segapp.checkpoints.checkpoint import load_checkpoint
from segapp.export.convert import convert_to_onnx, convert_to_openvino, save_weights, store_half
from segapp.export.quantise import quantise
from segapp.export.sample_images import read_windows, select_images
from segapp.inference.engine import Engine
from segapp.inference.exported_runtime import OnnxRuntime, OpenVinoRuntime
from segapp.inference.readable_image import ArrayImage
from segapp.inference.runtime import Runtime, TorchRuntime
from segapp.spec import Spec

VERIFIED = 3


def forms(checkpoint: Path, calibrate: list[ArrayImage], folder: Path) -> Iterator[tuple[str, Runtime]]:
    """Yield every runtime in every number format, one after the other."""
    spec, net, record = load_checkpoint(checkpoint)
    yield "torch, bf16", TorchRuntime(net, precision="bf16-mixed")
    save_weights(net, record["net"], folder / "half.safetensors", half=True)
    yield "weights fp16", TorchRuntime(load_weights(folder / "half.safetensors"))
    full, half = folder / "full.onnx", folder / "half.onnx"
    int8, symmetric = folder / "int8.onnx", folder / "symmetric.onnx"
    convert_to_onnx(net, spec, full)
    yield "onnx fp32", OnnxRuntime(full)
    half.write_bytes(full.read_bytes())
    store_half(half)
    yield "onnx fp16", OnnxRuntime(half)
    samples = read_windows(calibrate, spec)
    quantise(full, int8, samples, folder, symmetric=False)
    yield "onnx int8", OnnxRuntime(int8)
    quantise(full, symmetric, samples, folder, symmetric=True)
    for name, source, compress in (("fp32", full, False), ("fp16", full, True), ("int8", symmetric, False)):
        target = folder / f"{name}.xml"
        convert_to_openvino(source, target, compress)
        yield f"openvino {name}", OpenVinoRuntime(target)
        yield f"openvino {name}, bf16", OpenVinoRuntime(target, "bf16-mixed")


def logits(runtime: Runtime, spec: Spec, images: list[ArrayImage]) -> list[np.ndarray]:
    """Return the logits (K, H, W) of every image."""
    engine = Engine(runtime, spec)
    return [
        np.concatenate([np.array(runtime.to_numpy(band.logits)) for band in engine.compute_bands(i)], 1) for i in images
    ]


def main() -> None:
    """Print one table per checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("checkpoints", type=Path, nargs="+")
    settings = parser.parse_args()
    for checkpoint in settings.checkpoints:
        spec, net, _ = load_checkpoint(checkpoint)
        spec = replace(spec, precision="32-true")
        verify, calibrate = select_images(settings.images, spec, calibrate=True)
        verify = verify[:VERIFIED]
        expected = logits(TorchRuntime(net), spec, verify)
        largest = max(float(np.abs(one).max()) for one in expected)
        print(f"{checkpoint}: {len(verify)} images, largest logit {largest:.3g}")
        with tempfile.TemporaryDirectory() as folder:
            for name, runtime in forms(checkpoint, calibrate, Path(folder)):
                pairs = list(zip(expected, logits(runtime, spec, verify), strict=True))
                delta = max(float(np.abs(one - two).max()) for one, two in pairs) / largest
                changed = sum(int((one.argmax(0) != two.argmax(0)).sum()) for one, two in pairs)
                print(f"{name:20} {delta:10.4%} {changed / sum(one[0].size for one in expected):10.4%}", flush=True)


if __name__ == "__main__":
    main()
