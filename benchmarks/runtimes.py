"""Measure the time of a 512 x 512 window and the Dice on real images in every runtime, beside eager fp32.

    python benchmarks/runtimes.py --data configs/data/dsb2018_nuclei.yaml --root data/dsb2018_nuclei
    python benchmarks/runtimes.py --ckpt_path RUN/checkpoints/best.ckpt    # a network of yours, on its own data

Without checkpoints a resnet18 and a resnet34 U-Net are trained first, a few minutes each, and kept. They are exported
with `segapp export` and kept as well. Each runtime computes the same window in turn; the Dice (mean over foreground
classes, of the whole set) is that of the first test images, through the path that every verb takes. Prints Markdown.

    eager fp32            torch as it comes: fp32, channels first
    segapp                what `segapp predict` does with the checkpoint by itself
    onnx, openvino        through bundles, by dtype; openvino computes in fp32, or in bf16 as it does by itself
"""

import argparse
import os
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import prepared
import torch
from interleaved import interleaved, interval, machine, ratio, table

from segapp.checkpoints.bundle import Dtype, Format
from segapp.checkpoints.checkpoint import load_checkpoint
from segapp.inference.engine import Engine
from segapp.inference.open import Networks, open_networks
from segapp.inference.readable_image import ArrayImage
from segapp.inference.runtime import Runtime, TorchRuntime
from segapp.loading.datamodule import SegmentationDataModule
from segapp.metrics import ScoreCollector
from segapp.spec import Spec

ENCODERS = ("resnet18", "resnet34")
BUNDLES: list[tuple[Format, Dtype]] = [("onnx", "fp32"), ("openvino", "fp32"), ("onnx", "int8"), ("openvino", "int8")]
EAGER = "eager fp32"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ckpt_path", action="append", default=[], type=Path, help="repeat it for several networks")
    parser.add_argument("--data", default=str(prepared.CONFIGS / "data" / "dsb2018_nuclei.yaml"), help="to train on")
    parser.add_argument("--root", help="the folder of the data, where it is not the one that the file names")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--scored", type=int, default=24, help="images whose Dice is taken")
    options = parser.parse_args()
    for path in options.ckpt_path or [trained(encoder, options) for encoder in ENCODERS]:
        print(compared(path, options.repeats, options.scored))
    print(f"\n{machine('onnxruntime', 'openvino')}")


def trained(encoder: str, options: argparse.Namespace) -> Path:
    name = Path(options.data).stem
    root = (f"--data.source.init_args.root={options.root}",) if options.root else ()
    words = (*prepared.RESNET34, f"--model.net.init_args.encoder.init_args.name={encoder}", "--data", options.data)
    return prepared.trained(
        f"{name}-{encoder}", (*words, *root, "--data.crop=256", f"--trainer.max_epochs={options.epochs}")
    )


def compared(path: Path, repeats: int, scored: int) -> str:
    spec, net, record = load_checkpoint(path)
    data = prepared.data_of(record["config"]["data"] | {"num_workers": 0})
    runtimes: dict[str, Runtime] = {EAGER: TorchRuntime(net, "cpu", "32-true", channels_last=False)}
    default = open_networks([path])
    runtimes[f"segapp ({default.spec.precision})"] = default.members[0]
    for name, opened in bundles(path, data).items():
        runtimes[name] = opened.members[0]
    dice = {name: score(runtime, spec, data, scored) for name, runtime in runtimes.items()}
    window = next(iter(data.val_dataloader()))["image"][:1].numpy()
    window = np.tile(window, (1, 1, -(-512 // window.shape[2]), -(-512 // window.shape[3])))[:, :, :512, :512].copy()
    seconds = interleaved({name: partial(runtime, window) for name, runtime in runtimes.items()}, repeats, 2)
    rows = [
        [
            name,
            interval(np.array(times) * 1e3, 1),
            ratio(seconds[EAGER], times),
            f"{dice[name]:.4f}",
            f"{dice[name] - dice[EAGER]:+.4f}",
        ]
        for name, times in seconds.items()
    ]
    encoder = record["net"]["init_args"]["encoder"].get("init_args", {}).get("name", "")
    title = f"\n{encoder} U-Net ({path}), one window of 512 x 512, {repeats} repeats of 2, "
    title += f"{torch.get_num_threads()} threads; Dice of {scored} images"
    return f"{title}\n\n{table(['runtime', 'ms', 'times as fast as eager', 'Dice', 'change'], rows)}"


def bundles(path: Path, data: SegmentationDataModule) -> dict[str, Networks]:
    """Export and open every bundle; OpenVINO's fp32 bundle a second time with its default precision."""
    opened = {}
    with tempfile.TemporaryDirectory() as images:
        for number, item in enumerate(data.source.items("train")):
            source = item.image.path
            Path(images, f"{number}{source.suffix}").symlink_to(source.resolve())
        for format, dtype in BUNDLES:
            folder = prepared.exported(path, format, dtype, Path(images))
            opened[f"{format} {dtype}"] = open_networks([folder], precision="32-true")
            other = open_networks([folder])
            if dtype == "fp32" and other.spec.precision != "32-true":
                opened[f"{format} {other.spec.precision}"] = other
    return opened


def score(runtime: Runtime, spec: Spec, data: SegmentationDataModule, images: int) -> float:
    scores = ScoreCollector(spec.classes, spec.background)
    engine = Engine(runtime, replace(spec, window=(512, 512)))
    for index, batch in enumerate(data.test_dataloader()):
        if index == images:
            break
        prediction = engine.segment(ArrayImage(batch["image"][0].numpy().transpose(1, 2, 0)))
        scores.update(torch.from_numpy(prediction), batch["mask"][0], batch["name"][0])
    return float(scores.compute().flat["dice/dataset"])


if __name__ == "__main__":
    main()
