"""Measure the time from starting a command to its first mask: one 512 x 512 image, a new process every time.

    python benchmarks/cold_start.py                 # some minutes on two idle cores
    python benchmarks/cold_start.py --repeats 2     # a look

    checkpoint   `segapp predict` of a checkpoint of a resnet34 U-Net
    onnx, openvino
                 `segapp predict` of its bundles
    script       what people write: import torch and SMP, make the network, load its weights, Pillow, argmax, save
    nnunet       `nnUNetv2_predict_from_modelfolder` of a PlainConvUNet without mirroring, where nnunetv2 is installed

Processes take turns. A mask counts when it lies there whole; files are in the system's cache, since nobody can empty
it without being root: the first start after a boot takes longer in every arm. Prints Markdown.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import prepared
import segmentation_models_pytorch as smp
import torch
from interleaved import interval, machine, ratio, table

SCRIPT = """
import sys
import numpy as np
import PIL.Image
import segmentation_models_pytorch as smp
import torch
weights, image, mask = sys.argv[1:]
net = smp.Unet("resnet34", encoder_weights=None, in_channels=1, classes=2)
net.load_state_dict(torch.load(weights, weights_only=True))
net.eval()
pixels = torch.from_numpy(np.array(PIL.Image.open(image)))[None, None].float() / 255
with torch.inference_mode():
    indices = net(pixels).argmax(dim=1)[0]
PIL.Image.fromarray(indices.to(torch.uint8).numpy()).save(mask)
"""

Command = Callable[[Path], list[str]]
"""The command line that writes a mask of the image into a folder."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--nnunet_repeats", type=int, default=5, help="it takes about ten times as long")
    options = parser.parse_args()
    path = prepared.checkpoint("resnet34", prepared.RESNET34)
    with tempfile.TemporaryDirectory() as folder:
        commands = arms(path, Path(folder))
        firsts: dict[str, list[float]] = {name: [] for name in commands}
        ends: dict[str, list[float]] = {name: [] for name in commands}
        names = list(commands)
        for repeat in range(-1, options.repeats):  # the first fills the system's cache
            for name in names[repeat % len(names) :] + names[: repeat % len(names)]:
                if name == "nnunet" and repeat >= options.nnunet_repeats:
                    continue
                first, end = started(commands[name], Path(folder) / f"{name}-{repeat}")
                if repeat >= 0:
                    firsts[name].append(first)
                    ends[name].append(end)
    script = firsts["script"]
    rows = [
        [name, interval(times, 2), ratio(times, script[: len(times)]), interval(ends[name], 2), len(times)]
        for name, times in firsts.items()
    ]
    header = ["arm", "s to the first mask", "beside the script", "s to the end of the process", "repeats"]
    print(f"\none image of 512 x 512, a process each, resnet34 U-Net\n\n{table(header, rows)}")
    print(f"\n{machine('onnxruntime', 'openvino', 'nnunetv2')}")


def started(command: Command, output: Path) -> tuple[float, float]:
    """Return the seconds until the output folder holds a mask, and until the process has ended."""
    output.mkdir()
    begun = time.perf_counter()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command(output), stdout=log, stderr=subprocess.STDOUT)
        first = None
        while process.poll() is None:
            if first is None and is_there(output):
                first = time.perf_counter() - begun
            time.sleep(0.002)
        end = time.perf_counter() - begun
        log.seek(0)
        said = log.read().decode(errors="replace")
    if process.returncode or not is_there(output):
        raise RuntimeError(f"{command(output)} ended with {process.returncode}: {said[-2000:]}")
    return end if first is None else first, end


def is_there(output: Path) -> bool:
    return any(path.stat().st_size for path in output.rglob("[!.]*.png"))


def arms(path: Path, folder: Path) -> dict[str, Command]:
    image = folder / "images" / "cells_0000.png"  # nnU-Net's name for the first channel of a case
    image.parent.mkdir()
    image.write_bytes(prepared.images(1)[0].read_bytes())
    commands: dict[str, Command] = {"checkpoint": segapp(path, image)}
    for format in ("onnx", "openvino"):
        commands[format] = segapp(prepared.exported(path, format, "fp32"), image)
    torch.save(smp.Unet("resnet34", encoder_weights=None, in_channels=1, classes=2).state_dict(), folder / "smp.pt")
    script = [sys.executable, "-c", SCRIPT, str(folder / "smp.pt"), str(image)]
    commands["script"] = lambda output: [*script, str(output / "mask.png")]
    if find_spec("nnunetv2"):
        from nnunet import STAGES, model_folder

        model = model_folder(folder / "nnunet", STAGES["large"])
        program = "from nnunetv2.inference.predict_from_raw_data import predict_entry_point_modelfolder as m; m()"
        words = [sys.executable, "-c", program, "-i", str(image.parent), "-m", str(model), "-f", "0"]
        words += ["-step_size", "0.75", "--disable_tta", "-device", "cpu", "-npp", "1", "-nps", "1"]
        commands["nnunet"] = lambda output: [*words, "-o", str(output)]
    return commands


def segapp(model: Path, image: Path) -> Command:
    words = [sys.executable, "-m", "segapp", "predict", "--ckpt_path", str(model), "--images", str(image)]
    return lambda output: [*words, "--output", str(output)]


if __name__ == "__main__":
    os.environ.setdefault("nnUNet_raw", "")
    main()
